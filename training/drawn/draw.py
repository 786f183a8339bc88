"""Painter of pictures: any identity in any pose, back to front."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .canvas import BODY, HEAD, Canvas, HeadFrame
from .features import draw_brows, draw_cheeks, draw_eyes, draw_mouth, draw_muzzle, draw_nose
from .head import draw_back_hair, draw_ears, draw_fringe, draw_glasses, draw_hat, shade, skull
from .identity import Identity
from .pose import Pose
from .scene import draw_body, draw_scene
from .shapes import column

CHUNK = 8  # pictures painted at once on a CPU: about what a core's cache holds


class Painting(NamedTuple):
    """Batch of pictures, and what the painter knows of them."""

    pictures: Tensor  # (B, 3, H, W) in [0, 1]
    details: Tensor  # (B, 1, H, W) in [0, 1]: where eyes and mouths are
    parts: Tensor  # (B, 2, H, W) in [0, 1]: where head and body are seen


@torch.no_grad()
def draw(identity: Identity, pose: Pose, size: int = 128) -> Tensor:
    """Draw pictures (B, 3, size, size) in [0, 1] of `identity` in `pose`, entry by entry."""
    return paint(identity, pose, size).pictures


@torch.no_grad()
def paint(identity: Identity, pose: Pose, size: int = 128) -> Painting:
    """Draw pictures, and say where eyes, mouths, heads and bodies are in them."""
    count = len(pose.x)
    step = CHUNK if pose.x.device.type == "cpu" else count
    chunks = [_paint(identity[i : i + step], pose[i : i + step], size) for i in range(0, count, step)]
    pictures, details, parts = (torch.cat(maps) for maps in zip(*chunks, strict=True))
    return Painting(pictures, details, parts)


def _paint(identity: Identity, pose: Pose, size: int) -> Painting:
    canvas = Canvas(identity.style, size)
    frame = HeadFrame(canvas, identity.head, pose)
    draw_scene(canvas, identity)
    canvas.part = HEAD
    draw_back_hair(canvas, frame, identity)
    canvas.part = BODY
    draw_body(canvas, frame, identity, pose)
    canvas.part = HEAD
    draw_ears(canvas, frame, identity)
    outline = skull(frame, identity, pose)
    face = canvas.shape(outline, frame.unit, identity.head.skin)
    draw_muzzle(canvas, frame, identity, face)
    draw_cheeks(canvas, frame, identity, face)
    draw_nose(canvas, frame, identity)
    mouth = draw_mouth(canvas, frame, identity, pose)
    eyes = draw_eyes(canvas, frame, identity, pose)
    cap = outline - column(0.3 * identity.hair.volume * identity.hair.back)
    draw_fringe(canvas, frame, identity, cap)
    draw_brows(canvas, frame, identity, pose)
    shade(canvas, frame, identity, canvas.cover(cap, frame.unit))
    draw_glasses(canvas, frame, identity)
    draw_hat(canvas, frame, identity)
    return Painting(canvas.pixels, torch.maximum(mouth, eyes).unsqueeze(1), canvas.parts)
