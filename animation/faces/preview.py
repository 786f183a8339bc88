"""Pictures that show which faces were found: each in a numbered box, with the square that is cut out around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .clips import eight_bit
from .square import Square

_COLOURS = ((255, 80, 80), (80, 200, 120), (90, 150, 255), (255, 190, 60), (200, 120, 255), (60, 210, 220))


def numbered(picture: Tensor, squares: Sequence[Square]) -> Tensor:
    """Draw the outlines of squares, numbered from 0, into a picture (H, W, C): float32 (H, W, 3) in [0, 1]."""
    image = Image.fromarray(eight_bit(picture))
    draw = ImageDraw.Draw(image)
    width = max(2, round(min(image.size) / 200))
    font = ImageFont.load_default(max(12, round(min(image.size) / 20)))
    for number, square in enumerate(squares):
        colour, corners = _COLOURS[number % len(_COLOURS)], _corners(square)
        draw.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
        x, y = corners[0]
        place = (min(max(x, 0) + 2 * width, image.width - 10), min(max(y, 0) + 2 * width, image.height - 10))
        draw.text(place, str(number), fill=colour, font=font, stroke_width=width, stroke_fill=(0, 0, 0))
    return torch.as_tensor(np.asarray(image, np.float32) / 255)


def _corners(square: Square) -> list[tuple[float, float]]:
    half, cos, sin = square.side / 2, math.cos(square.angle), math.sin(square.angle)
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    return [(square.x + cos * u - sin * v, square.y + sin * u + cos * v) for u, v in corners]
