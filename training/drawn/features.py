"""Eyes, brows, nose, mouth, muzzle and cheeks: all that is painted on the front of the head."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import Canvas, HeadFrame
from .identity import Identity
from .pose import Pose
from .shapes import box, column, ellipse, length


def draw_muzzle(canvas: Canvas, frame: HeadFrame, identity: Identity, face: Tensor) -> None:
    """Draw an animal's muzzle, or a beard, kept inside the face's coverage (B, H, W)."""
    head = identity.head
    x, y = frame.around(0, 0.55, 1.1)
    size = column(head.muzzle_size * head.width)
    shape = ellipse(x, y - 0.1 * size, 0.68 * size, 0.55 * size)
    canvas.fill(canvas.cover(shape, frame.unit) * face, head.muzzle_colour, head.muzzle)


def draw_cheeks(canvas: Canvas, frame: HeadFrame, identity: Identity, face: Tensor) -> None:
    """Draw soft round cheeks and freckles."""
    head = identity.head
    side = frame.sides(torch.full_like(head.width, 0.52), torch.full_like(head.width, 0.3))
    glow = (1.3 - length(side.x, side.y) * 9).clamp_(0, 1).mul_(face)
    canvas.fill(glow, head.cheek_colour, head.cheek)
    dots = (torch.sin(side.x * 70) * torch.sin(side.y * 70)).sub_(0.55).mul_(5).clamp_(0, 1)
    canvas.fill(dots.mul_(glow), head.skin * 0.6, head.freckles)


def draw_eyes(canvas: Canvas, frame: HeadFrame, identity: Identity, pose: Pose) -> Tensor:
    """Draw whites, irises, pupils, highlights and lids; returns the coverage (B, H, W) of open and closed eyes."""
    eyes, unit = identity.eyes, frame.unit
    side = frame.sides(eyes.spread, eyes.level)
    opening = side.pick(pose.left, pose.right).clamp(min=0.04)
    width, height = column(eyes.width), column(eyes.height)
    sag = (1 - opening) * height * (0.5 - (side.x / width).square())  # closing lids end in a downward bow
    lens = ellipse(side.x, side.y - sag, width, height * opening)
    lens = torch.maximum(lens, side.x.abs() - width)
    canvas.fill(canvas.cover(lens - column(eyes.lash), unit), identity.style.ink)
    white = canvas.cover(lens, unit).mul_((opening * 4).clamp(max=1))
    canvas.fill(white, eyes.white)
    radius = column(eyes.iris_size) * torch.minimum(width, height)
    outwards = 2 * side.right - 1
    x = side.x - outwards * (column(pose.gaze_x) * (width - 0.8 * radius).clamp(min=0) * 0.8)
    y = side.y - column(pose.gaze_y) * (height - 0.8 * radius).clamp(min=0) * 0.6
    centre = length(x, y)
    canvas.fill(canvas.cover(centre - radius, unit).mul_(white), eyes.iris)
    canvas.fill(canvas.cover(centre - radius * column(eyes.pupil_size), unit).mul_(white), identity.style.ink * 0.5)
    shine = length(x + outwards * (radius * 0.35), y + radius * 0.4) - radius * 0.3
    canvas.fill(canvas.cover(shine, unit).mul_(white), torch.ones_like(eyes.white))
    return canvas.cover(ellipse(side.x, side.y, width * 1.3, height * 1.3), unit)


def brow_level(identity: Identity, pose: Pose) -> Tensor:
    """Height of the brows' middles (B,), in head half sizes."""
    eyes = identity.eyes
    return eyes.level - (eyes.height + eyes.brow_gap + 0.055 * pose.brow) / identity.head.height


def draw_brows(canvas: Canvas, frame: HeadFrame, identity: Identity, pose: Pose) -> None:
    """Draw brows above the eyes, higher or lower with the pose."""
    eyes = identity.eyes
    side = frame.sides(eyes.spread, brow_level(identity, pose))
    bow = side.x * column(eyes.brow_slant) + side.x.square() * column(eyes.brow_arch)
    shape = box(side.x, side.y - bow, column(eyes.brow_length), column(eyes.brow_width), column(eyes.brow_width))
    canvas.fill(canvas.cover(shape, frame.unit), eyes.brow_colour)


def draw_nose(canvas: Canvas, frame: HeadFrame, identity: Identity) -> None:
    """Draw a round nose that stands out from the face."""
    mouth = identity.mouth
    x, y = frame.around(0, mouth.nose_level, 1.25)
    shape = ellipse(x, y, column(mouth.nose_width), column(mouth.nose_height))
    canvas.fill(canvas.cover(shape, frame.unit), mouth.nose_colour)


def mouth_shape(identity: Identity, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
    """Half width, half opening and rise of the corners, each (B,)."""
    width = identity.mouth.width * (1 + 0.2 * pose.smile - 0.2 * pose.mouth)
    return width, (0.17 * pose.mouth).clamp(min=0.004), 0.09 * pose.smile


def draw_mouth(canvas: Canvas, frame: HeadFrame, identity: Identity, pose: Pose) -> Tensor:
    """Draw lips, and between them the inside with teeth and tongue; returns the coverage (B, H, W) of the whole."""
    mouth, unit = identity.mouth, frame.unit
    x, y = frame.around(0, mouth.level, 1.06)
    width, drop, smile = (column(value) for value in mouth_shape(identity, pose))
    bow = (x / width).square() - 0.4
    y = y - 0.5 * drop + bow.clamp_(max=1) * smile
    gap = torch.maximum(ellipse(x, y, width, drop), x.abs() - width)
    lips = canvas.cover(gap - column(mouth.lip_width), unit)
    canvas.fill(lips, mouth.lip)
    inside = canvas.cover(gap, unit).mul_(column(pose.mouth * 6).clamp(max=1))
    canvas.fill(inside, mouth.inside)
    tongue = ellipse(x, y - drop, width * 0.7, drop * 0.8)
    canvas.fill(canvas.cover(tongue, unit).mul_(inside), mouth.tongue)
    canvas.fill(canvas.cover(y + drop * 0.55, unit).mul_(inside), torch.full_like(mouth.lip, 0.96), mouth.teeth)
    return canvas.cover(gap - 0.06, unit)
