"""Backdrop, and the shoulders in front of it."""

from __future__ import annotations

import torch

from .canvas import Canvas, HeadFrame
from .identity import Identity
from .pose import Pose
from .shapes import box, column, ellipse


def draw_scene(canvas: Canvas, identity: Identity) -> None:
    """Fill the pictures with their backdrops."""
    scene = identity.scene
    cos, sin = column(scene.angle.cos()), column(scene.angle.sin())
    along, across = canvas.x * cos + canvas.y * sin, canvas.y * cos - canvas.x * sin
    wave = torch.sin(along * column(scene.frequency) + column(scene.phase))
    other = torch.cos(across * column(scene.frequency) + column(scene.phase))
    wave = wave.lerp_(wave * other, column(scene.weave))
    canvas.pixels.copy_(scene.far[:, :, None, None].expand_as(canvas.pixels))
    canvas.fill(wave.mul_(column(scene.contrast)).sigmoid_(), scene.near)


def draw_body(canvas: Canvas, frame: HeadFrame, identity: Identity, pose: Pose) -> None:
    """Draw neck and shoulders, which follow the head's place and size, not its turns."""
    wear, head = identity.wear, identity.head
    x = (canvas.x - column(0.7 * pose.x)) / column(pose.scale)
    y = (canvas.y - column(0.8 * pose.y)) / column(pose.scale)
    top = column(head.height) + 0.1
    neck = box(x - frame.spot(0, 0.8, 0).x * 0.5, y - top + 0.2, column(0.38 * head.width), 0.35, 0.1)
    canvas.shape(neck, frame.unit, head.skin * 0.85)
    body = ellipse(x, y - top - 0.9, column(wear.shoulders), 0.92)
    cover = canvas.shape(body, frame.unit, wear.shirt)
    stripes = torch.sin(y * column(wear.stripes)).mul_(6).sigmoid_()
    canvas.fill(stripes * cover, wear.trim, torch.full_like(wear.stripes, 0.8))
    collar = box(x, y - top - 0.02, column(0.45 * head.width), 0.06, 0.05)
    canvas.shape(collar, frame.unit, wear.trim)
