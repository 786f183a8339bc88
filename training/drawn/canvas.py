"""A batch of pictures that is painted on, and the coordinates of the head in each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...module_fomm.drawn.network import PARTS
from .identity import Head, Style
from .pose import Pose
from .shapes import choose, column

HEAD, BODY = range(PARTS)


class Canvas:
    """Pictures (B, 3, H, W), painted in order from back to front with soft edges one pixel wide.

    `parts` (B, 2, H, W) in [0, 1] is where shapes of the head and of the body are seen.
    """

    def __init__(self, style: Style, size: int) -> None:
        self.size = size
        self.style = style
        device = style.ink.device
        self.pixels = torch.empty(style.line.shape[0], 3, size, size, device=device)
        steps = torch.linspace(-1, 1, size, device=device)
        self.parts = torch.zeros(style.line.shape[0], PARTS, size, size, device=device)
        self.part: int | None = None  # what the next shapes belong to: HEAD or BODY
        self.y, self.x = steps.view(1, size, 1), steps.view(1, 1, size)
        self.unit = size / 2  # pixels per half picture side

    def cover(self, distance: Tensor, unit: Tensor | float) -> Tensor:
        """Coverage (B, H, W) in [0, 1] of a shape from its distance; `unit` is pixels per unit of distance."""
        return (distance * -unit).add_(0.5).clamp_(0, 1)

    def fill(self, cover: Tensor, colour: Tensor, opacity: Tensor | None = None) -> None:
        """Paint `colour` (B, 3) where `cover` (B, H, W) is 1; `opacity` is (B,)."""
        if opacity is not None:
            cover = cover * column(opacity)
        self.pixels.lerp_(colour[:, :, None, None], cover.unsqueeze(1))

    def shape(self, distance: Tensor, unit: Tensor, colour: Tensor, opacity: Tensor | None = None) -> Tensor:
        """Paint a shape and, in styles that have them, its outline; returns its coverage."""
        lines = self.style.lines if opacity is None else self.style.lines * opacity
        stroke = distance.abs().sub_(column(self.style.line) / 2)
        cover = self.cover(distance, unit)
        self.fill(cover, colour, opacity)
        line = self.cover(stroke, unit)
        self.fill(line, self.style.ink, lines)
        if self.part is not None:
            painted = torch.maximum(cover if opacity is None else cover * column(opacity), line * column(lines))
            self.parts.mul_((1 - painted).unsqueeze(1))
            self.parts[:, self.part].add_(painted)
        return cover


@dataclass(frozen=True)
class Spot:
    """A place on the head: centre and foreshortening, each (B, 1, 1)."""

    x: Tensor
    y: Tensor
    across: Tensor
    along: Tensor


def spot(head: Head, pose: Pose, x: Tensor | float, y: Tensor | float, depth: float = 1.0) -> Spot:
    """Project a point of the front, in head half sizes; `depth` > 1 stands out, 0 is the plane of the ears."""
    yaw, pitch, zero = pose.yaw, pose.pitch, torch.zeros_like(pose.yaw)
    x, y = zero + x, zero + y
    front = (1 - x * x - y * y).clamp(min=0.05).sqrt()
    z = depth * front
    across = yaw.cos() - depth * x / front * yaw.sin()
    x, z = x * yaw.cos() + z * yaw.sin(), z * yaw.cos() - x * yaw.sin()
    along = pitch.cos() - depth * y / z.clamp(min=0.4) * pitch.sin()
    y = y * pitch.cos() + z * pitch.sin()
    return Spot(
        column(x * head.width),
        column(y * head.height),
        column(across.clamp(0.45, 1.15)),
        column(along.clamp(0.6, 1.15)),
    )


@dataclass(frozen=True)
class Side:
    """Coordinates around the nearer of two mirrored spots: `x` points outwards."""

    x: Tensor  # (B, H, W)
    y: Tensor
    right: Tensor  # 1 right of the middle, 0 left of it

    def pick(self, left: Tensor, right: Tensor) -> Tensor:
        """Choose per pixel between a left and a right value, both (B,)."""
        return choose(self.right, column(left), column(right))


class HeadFrame:
    """Pixel coordinates (B, H, W) in the upright head, and where places on its ellipsoid are seen."""

    def __init__(self, canvas: Canvas, head: Head, pose: Pose) -> None:
        x, y = canvas.x - column(pose.x), canvas.y - column(pose.y)
        cos, sin = column(pose.tilt.cos() / pose.scale), column(pose.tilt.sin() / pose.scale)
        self.x, self.y = x * cos + y * sin, y * cos - x * sin
        self.unit = column(pose.scale * canvas.unit)
        self.head, self.pose = head, pose

    def spot(self, x: Tensor | float, y: Tensor | float, depth: float = 1.0) -> Spot:
        """Project a point of the front of this head; see the function `spot`."""
        return spot(self.head, self.pose, x, y, depth)

    def around(self, x: Tensor | float, y: Tensor | float, depth: float = 1.0) -> tuple[Tensor, Tensor]:
        """Foreshortened coordinates (B, H, W) around one spot."""
        spot = self.spot(x, y, depth)
        return (self.x - spot.x) / spot.across, (self.y - spot.y) / spot.along

    def sides(self, x: Tensor, y: Tensor, depth: float = 1.0) -> Side:
        """Coordinates around the nearer of the two spots at -x and x."""
        left, right = self.spot(-x, y, depth), self.spot(x, y, depth)
        on_right = (self.x - (left.x + right.x) / 2).mul_(1e6).clamp_(0, 1)
        across = choose(on_right, -1 / left.across, 1 / right.across)
        along = choose(on_right, 1 / left.along, 1 / right.along)
        return Side(
            (self.x - choose(on_right, left.x, right.x)).mul_(across),
            (self.y - choose(on_right, left.y, right.y)).mul_(along),
            on_right,
        )
