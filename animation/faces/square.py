"""Squares of pictures: placed around a face, cut out at the size of a network, and found again for pasting.

Places are in pixels, x to the right, y down; 0 is the outer edge of the first pixel, so that a picture of width W ends
at W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.errors import InputError
from .face import Face

DEFAULT_RATIO = 0.4  # margin on each side, as a part of the face's longer side
LIFT = 0.1  # of the face's height; detectors' boxes begin at the brow, and heads go on above
LEAST_SIDE = 16  # pixels


@dataclass(frozen=True, slots=True)
class Square:
    """Square in a picture: its middle (x, y) and side in pixels, turned clockwise by `angle` radians."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    @property
    def is_aligned(self) -> bool:
        """Tell whether the square consists of whole pixels."""
        edges = (self.side, self.x - self.side / 2, self.y - self.side / 2)
        return not self.angle and all(edge % 1 == 0 for edge in edges)

    def aligned(self) -> Square:
        """Move an upright square to whole pixels, so that cutting at its own size resamples nothing."""
        if self.angle:
            return self
        side = max(LEAST_SIDE, round(self.side))
        left, top = round(self.x - side / 2), round(self.y - side / 2)
        return Square(left + side / 2, top + side / 2, float(side))

    @property
    def reach(self) -> float:
        """Half the side of the upright square that encloses this one."""
        return self.side / 2 * (abs(math.cos(self.angle)) + abs(math.sin(self.angle)))


def square_around(face: Face, ratio: float = DEFAULT_RATIO, upright: bool = False) -> Square:
    """Place a square around a face, with a margin of `ratio` times its longer side on each side.

    With `upright` it is turned so that the eyes are level, where the face has landmarks. Raises InputError for a ratio
    outside [0, 4].
    """
    return lifted_square(face, ratio, roll_of(face) if upright else 0.0)


def lifted_square(face: Face, ratio: float, angle: float) -> Square:
    """Place a square around a face, turned clockwise by `angle` radians; see `square_around`."""
    if not 0 <= ratio <= 4:
        raise InputError(f"is {ratio:g}; 0 to 4 was wanted. {DEFAULT_RATIO} suits most faces.", "ratio")
    side = max(face.width, face.height) * (1 + 2 * ratio)
    x, y = face.centre
    lift = LIFT * face.height
    return Square(x + lift * math.sin(angle), y - lift * math.cos(angle), max(LEAST_SIDE, side), angle)


def roll_of(face: Face) -> float:
    """Measure how far a face is tilted clockwise, in radians, by its eyes; 0 without landmarks."""
    if face.landmarks is None or len(face.landmarks) < 2:
        return 0.0
    (left_x, left_y), (right_x, right_y) = face.landmarks[0], face.landmarks[1]
    return math.atan2(right_y - left_y, right_x - left_x)


def cut(pictures: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of pictures (B, C, H, W), float or uint8, at `size` pixels: float (B, C, size, size).

    Values keep their scale. Beyond the border the pixels at the border are repeated; shrinking is antialiased. An
    aligned square of side `size` comes out untouched.
    """
    exact = square.is_aligned
    enclosing = square if exact else Square(square.x, square.y, 2 * square.reach + 2).aligned()
    side = round(enclosing.side)
    left, top = round(enclosing.x - side / 2), round(enclosing.y - side / 2)
    rows = torch.arange(top, top + side, device=pictures.device).clamp_(0, pictures.shape[2] - 1)
    columns = torch.arange(left, left + side, device=pictures.device).clamp_(0, pictures.shape[3] - 1)
    part = pictures.index_select(2, rows).index_select(3, columns).float()
    if not exact:
        part = _sampled(part, replace(square, x=square.x - left, y=square.y - top))
    return resized(part, (size, size))


def _sampled(part: Tensor, square: Square) -> Tensor:
    """Sample a square that lies between pixels or is turned, at the pictures' own resolution."""
    count = max(1, round(square.side))
    x, y = to_picture(square, *torch.meshgrid(_places(count, part), _places(count, part), indexing="xy"))
    grid = torch.stack((2 * x / part.shape[3] - 1, 2 * y / part.shape[2] - 1), dim=-1)
    return F.grid_sample(part, grid.expand(len(part), -1, -1, -1), "bilinear", "border", align_corners=False)


def _places(count: int, like: Tensor) -> Tensor:
    """Centres of `count` pixels that span [-1, 1]."""
    return (torch.arange(count, device=like.device, dtype=torch.float32) + 0.5) * (2 / count) - 1


def to_picture(square: Square, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Map places in a square, [-1, 1] from edge to edge, to those in the picture."""
    half, cos, sin = square.side / 2, math.cos(square.angle), math.sin(square.angle)
    return square.x + half * (cos * u - sin * v), square.y + half * (sin * u + cos * v)


def to_square(square: Square, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Map places in the picture to those in a square, [-1, 1] from edge to edge."""
    half, cos, sin = square.side / 2, math.cos(square.angle), math.sin(square.angle)
    dx, dy = (x - square.x) / half, (y - square.y) / half
    return cos * dx + sin * dy, cos * dy - sin * dx


def resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize float pictures (B, C, H, W) to (height, width), antialiased where they shrink; the same size is kept."""
    height, width = pictures.shape[2:]
    if (height, width) == size:
        return pictures
    shrinks = size[0] < height or size[1] < width
    on_cpu = pictures.device.type == "mps" and shrinks  # no antialiased kernel there
    given = pictures.cpu() if on_cpu else pictures
    return F.interpolate(given, size, mode="bilinear", align_corners=False, antialias=shrinks).to(pictures.device)
