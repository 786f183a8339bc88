"""Any look in any pose, as a picture."""

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
    """B pictures, and what the painter knows of them."""

    pictures: Tensor  # (B, 3, H, W) in [0, 1]
    details: Tensor  # (B, 1, H, W) in [0, 1]: where eyes and mouths are
    parts: Tensor  # (B, 2, H, W) in [0, 1]: where head and body are seen


@torch.no_grad()
def draw(look: Identity, pose: Pose, size: int = 128) -> Tensor:
    """Pictures (B, 3, size, size) in [0, 1] of `look` in `pose`, entry by entry."""
    return paint(look, pose, size).pictures


@torch.no_grad()
def paint(look: Identity, pose: Pose, size: int = 128) -> Painting:
    """Pictures as `draw` gives them, and what is where in them."""
    count = len(pose.x)
    step = CHUNK if pose.x.device.type == "cpu" else count
    chunks = [_paint(look[i : i + step], pose[i : i + step], size) for i in range(0, count, step)]
    pictures, details, parts = (torch.cat(maps) for maps in zip(*chunks, strict=True))
    return Painting(pictures, details, parts)


def _paint(look: Identity, pose: Pose, size: int) -> Painting:
    canvas = Canvas(look.style, size)
    frame = HeadFrame(canvas, look.head, pose)
    draw_scene(canvas, look)
    canvas.part = HEAD
    draw_back_hair(canvas, frame, look)
    canvas.part = BODY
    draw_body(canvas, frame, look, pose)
    canvas.part = HEAD
    draw_ears(canvas, frame, look)
    outline = skull(frame, look, pose)
    face = canvas.shape(outline, frame.unit, look.head.skin)
    draw_muzzle(canvas, frame, look, face)
    draw_cheeks(canvas, frame, look, face)
    draw_nose(canvas, frame, look)
    mouth = draw_mouth(canvas, frame, look, pose)
    eyes = draw_eyes(canvas, frame, look, pose)
    cap = outline - column(0.3 * look.hair.volume * look.hair.back)
    draw_fringe(canvas, frame, look, cap)
    draw_brows(canvas, frame, look, pose)
    shade(canvas, frame, look, canvas.cover(cap, frame.unit))
    draw_glasses(canvas, frame, look)
    draw_hat(canvas, frame, look)
    return Painting(canvas.pixels, torch.maximum(mouth, eyes).unsqueeze(1), canvas.parts)
