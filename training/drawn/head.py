"""Painting of the head itself: ears, skull, hair, light, glasses and hat."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import Canvas, HeadFrame
from .identity import Identity
from .pose import Pose
from .shapes import box, column, ellipse, length


def draw_back_hair(canvas: Canvas, frame: HeadFrame, identity: Identity) -> None:
    """Draw hair behind the head and shoulders, and puffs: a bun, pigtails or space buns."""
    hair, head = identity.hair, identity.head
    lean = frame.spot(0, 0, -0.35)
    x, y = frame.x - lean.x, frame.y - lean.y
    wide = column(head.width + hair.volume)
    top, foot = -column(head.height + hair.volume), column(head.height * hair.drop)
    curls = column(hair.curl) * torch.sin(column(hair.curls) * torch.atan2(y, x))
    middle = (top + foot) / 2
    shape = box(x, y - middle, wide, (foot - top) / 2, torch.minimum(wide, (foot - top) / 2) * 0.98)
    canvas.shape(shape + curls, frame.unit, hair.colour * 0.85, hair.back)
    side = frame.sides(hair.puff_x, hair.puff_y, 0.0)
    puff = length(side.x, side.y) - column(hair.puff) + curls
    canvas.shape(puff, frame.unit, hair.colour, (hair.puff > 0).float())


def draw_ears(canvas: Canvas, frame: HeadFrame, identity: Identity) -> None:
    """Draw ears at the sides of the head, or on top of it, round or pointed."""
    head = identity.head
    side = frame.sides(1.02 * head.ear_angle.cos(), 1.02 * head.ear_angle.sin(), 0.0)
    size, point = column(head.ear_size), column(head.ear_point)
    round_ear = ellipse(side.x, side.y, size * 0.75, size)
    pointed = (side.x.abs() * 1.25 + (side.y + 0.3 * size).abs() * 0.8 - size) * 0.7
    ear = torch.lerp(round_ear, pointed, point)
    canvas.shape(ear, frame.unit, head.skin)
    canvas.fill(canvas.cover(ear + 0.4 * size, frame.unit), head.ear_inner)


def skull(frame: HeadFrame, identity: Identity, pose: Pose) -> Tensor:
    """Distance (B, H, W) to the head's outline; an open mouth lengthens the chin."""
    head = identity.head
    low = (frame.y / column(head.height)).clamp(min=0)
    width = column(head.width) * (1 + column(head.jaw) * low)
    y = torch.where(frame.y > 0, frame.y / column(1 + 0.1 * pose.mouth), frame.y)
    return ellipse(frame.x, y, width.clamp_(min=0.1), column(head.height))


def draw_fringe(canvas: Canvas, frame: HeadFrame, identity: Identity, cap: Tensor) -> None:
    """Draw hair over the forehead: the part of `cap` (distance to the hair's outer edge) above the hairline."""
    hair, head = identity.hair, identity.head
    root = frame.spot(hair.part * 0.6, hair.line)
    x = (frame.x - root.x) / column(head.width)
    strands = column(hair.jag) * torch.sin(x * column(hair.jags)).abs()
    line = root.y + column(head.height) * (x.square() * column(hair.fall) + strands)
    canvas.shape(torch.maximum(cap, (frame.y - line) * 0.8), frame.unit, hair.colour, hair.fringe)


def shade(canvas: Canvas, frame: HeadFrame, identity: Identity, cover: Tensor) -> None:
    """Light and shade over everything painted inside `cover`, from the head's ellipsoid; pen strokes if hatched."""
    style, head = identity.style, identity.head
    direction = style.light - frame.pose.tilt  # the lamp stays where it is when the head tilts
    x, y = frame.x / column(head.width), frame.y / column(head.height)
    facing = x * column(direction.cos()) + y * column(direction.sin())
    light = torch.tanh((facing + 0.25) * column(style.hardness)) * column(style.shade)
    strokes = torch.sin((frame.x + frame.y) * 45).mul_(3).sigmoid_() * column(style.hatch)
    light = light - strokes * (0.3 - facing).clamp_(0, 1)
    canvas.pixels.mul_(light.mul_(cover).add_(1).unsqueeze(1)).clamp_(0, 1)


def draw_glasses(canvas: Canvas, frame: HeadFrame, identity: Identity) -> None:
    """Draw two rings, a bridge and the temples."""
    wear, eyes = identity.wear, identity.eyes
    side = frame.sides(eyes.spread, eyes.level, 1.1)
    lens, width = column(wear.lens), column(wear.frame)
    rim = box(side.x, side.y, lens, lens * 0.9, lens * (0.9 - 0.6 * column(wear.square)))
    bars = box(side.x, side.y, lens * 6, width * 0.4, 0.0)
    bars = torch.maximum(bars, -rim)
    canvas.fill(canvas.cover(rim, frame.unit), wear.frame_colour, wear.glasses * wear.tint)
    shape = torch.minimum(rim.abs_().sub_(width / 2), bars)
    inside = ellipse(frame.x, frame.y, column(identity.head.width) * 1.02, column(identity.head.height))
    canvas.fill(canvas.cover(torch.maximum(shape, inside), frame.unit), wear.frame_colour, wear.glasses)


def draw_hat(canvas: Canvas, frame: HeadFrame, identity: Identity) -> None:
    """Draw a crown from cone to top hat, a band, a brim or a cap's peak, and a pompom."""
    wear, head = identity.wear, identity.head
    seat, front = frame.spot(0, wear.hat_level, 0.3), frame.spot(0, wear.hat_level, 1.0)
    tall = column(wear.crown)
    y = frame.y - front.y
    up = (-y / tall).clamp(0, 1.2)
    foot = column(head.width) * 1.04
    crown = box(
        (frame.x - seat.x) / (1 - (1 - column(wear.taper)) * up).clamp_(min=0.1), y + tall / 2, foot, tall / 2, 0.12
    )
    crown = crown * (0.4 + 0.6 * column(wear.taper).clamp(max=1))
    tip = length(frame.x - seat.x, y + tall + 0.03) - column(wear.pompom)
    canvas.shape(tip, frame.unit, wear.band_colour, wear.hat * (wear.pompom > 0))
    cover = canvas.shape(crown, frame.unit, wear.hat_colour, wear.hat)
    band = canvas.cover(-(y + 0.14), frame.unit).mul_(cover)
    canvas.fill(band, wear.band_colour, wear.hat)
    middle = torch.lerp(seat.x, front.x * 1.6, column(wear.peak))
    brim = ellipse(frame.x - middle, y, foot * column(1 - 0.2 * wear.peak) + column(wear.brim), 0.06 + tall * 0.06)
    canvas.shape(brim, frame.unit, wear.band_colour, wear.hat * (wear.brim > 0))
