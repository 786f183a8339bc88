"""Fine detail of the source at full resolution, moved by the flow of the model and laid over its smaller pictures.

A painted picture is enlarged, and gets back what enlarging cannot hold: the finest band of the full-size source, warped
along the flow. The band counts as far as the warped source and the painted picture agree, so that whatever the model
painted anew (an opened mouth, what was hidden before) stays as it is. The flow is first brought into register with the
painted picture, for contours that lie a pixel beside it would double.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.layers.grid import make_coordinate_grid, resize_map
from ..core.types import FLOW, MASK, Mapped
from .faces.square import resized
from .frames import FrameFormat

# Chosen by `tests/benchmarks/detail.py`.
TOLERANCE = 0.1  # difference of colours at which the weight has fallen to 1/e; 0.15 is sharper, but leaves scribbles
STEPS = 3  # by which the flow is brought into register
MOST_MOVED = 1.0  # pixels of the painted picture in each step
STIFFNESS = 1e-3  # keeps the flow where the picture is so even that nothing tells where it belongs


@dataclass(frozen=True, slots=True)
class DetailedSource:
    """Source in full size (1 or B, 3, D, D), and shrunken to the model's size (1 or B, 3, S, S)."""

    full: Tensor
    small: Tensor


@dataclass(frozen=True, slots=True)
class FineDetail:
    """Settings for one animation: the `strength` in [0, 1], the side of the results, and that of the model."""

    strength: float
    side: int
    model_side: int
    device: torch.device

    def read(self, pictures: Tensor, name: str) -> DetailedSource:
        """Bring source pictures (1 or B, H, W, C) to both sizes; needed once for a source that does not move."""
        full = FrameFormat((self.side, self.side), self.device, antialias=True).convert(pictures, name).contiguous()
        return DetailedSource(full, resized(full, (self.model_side, self.model_side)))

    def add(self, mapped: Mapped, source: DetailedSource) -> Tensor:
        """Enlarge painted pictures (B, 3, S, S), with the source's detail where it fits: (B, 3, D, D) in [0, 1]."""
        painted = mapped.pictures.float().contiguous()
        flow = in_register(mapped.maps[FLOW], painted, source.small)
        warped = sampled(source.full, enlarged_flow(flow, self.side))
        shrunken = resized(warped, (self.model_side, self.model_side))
        weight = resize_map(self.strength * weight_of(painted, shrunken, mapped.maps), (self.side, self.side))
        band = warped.sub_(enlarged(shrunken, self.side))
        return enlarged(painted, self.side).addcmul_(weight, band).clamp_(0, 1)


def enlarged(pictures: Tensor, side: int) -> Tensor:
    """Enlarge pictures (B, C, S, S) to another side; bicubic, which keeps more than bilinear does."""
    if pictures.shape[-1] == side:
        return pictures.clone()
    return F.interpolate(pictures, (side, side), mode="bicubic", align_corners=False)


def sampled(pictures: Tensor, places: Tensor) -> Tensor:
    """Sample pictures (1 or B, C, h, w) at places (B, 2, H, W) in the coordinates of points: (B, C, H, W).

    Beyond the border its pixels are repeated.
    """
    grid = places.clamp(-1, 1).movedim(1, -1)
    return F.grid_sample(pictures.expand(len(grid), -1, -1, -1), grid, "bilinear", align_corners=True)


def identity(side: int, like: Tensor) -> Tensor:
    """Make the flow (2, side, side) of a picture that stays as it is."""
    return make_coordinate_grid(side, side, like).movedim(-1, 0)


def enlarged_flow(flow: Tensor, side: int) -> Tensor:
    """Enlarge a flow (B, 2, S, S) to another side as pictures are, by the edges of pixels: (B, 2, side, side).

    What is resized are the shifts, so that no motion stays exactly none.
    """
    small = flow.shape[-1]
    scale = (small - 1) / small * side / max(side - 1, 1)  # +-1 are the corner pixels' centres, here closer to the edge
    shifts = resize_map((flow - identity(small, flow)) * scale, (side, side))
    return shifts.add_(identity(side, flow)) if small != side else flow


def in_register(flow: Tensor, painted: Tensor, source: Tensor) -> Tensor:
    """Shift a flow (B, 2, S, S) a little, until the source (1 or B, 3, S, S) lies on painted pictures (B, 3, S, S).

    Each step fits the shift around every pixel by least squares (Lucas and Kanade, 1981).
    """
    here = identity(flow.shape[-1], flow)
    pixel = 2 / max(flow.shape[-1] - 1, 1)
    for _ in range(STEPS):
        shift = _shift_between(sampled(source, flow), painted)
        flow = sampled(flow, here + pixel * shift)
    return flow


def _shift_between(warped: Tensor, painted: Tensor) -> Tensor:
    """Fit the shift (B, 2, S, S) in pixels by which warped pictures have to be sampled to look like painted ones."""
    padded = F.pad(warped, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    along = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    rest = painted - warped
    pairs = ((across, across), (across, along), (along, along), (across, rest), (along, rest))
    xx, xy, yy, xe, ye = smoothed(torch.stack([(a * b).sum(dim=1) for a, b in pairs], dim=1)).unbind(1)
    xx, yy = xx + STIFFNESS, yy + STIFFNESS
    shift = torch.stack([yy * xe - xy * ye, xx * ye - xy * xe], dim=1) / (xx * yy - xy * xy)[:, None]
    return shift.clamp_(-MOST_MOVED, MOST_MOVED)


def weight_of(painted: Tensor, warped: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
    """Weigh the band by how closely the warped source and painted pictures (B, 3, S, S) agree: (B, 1, S, S) in [0, 1].

    Where the model says by a mask that the source does not show, nothing counts.
    """
    difference = smoothed((painted - warped).abs().mean(dim=1, keepdim=True))
    weight = torch.exp(-((difference / TOLERANCE) ** 2))
    mask = maps.get(MASK)
    return weight if mask is None else weight * resize_map(mask.float(), (weight.shape[2], weight.shape[3]))


def smoothed(maps: Tensor) -> Tensor:
    """Blur maps (B, C, h, w) by two boxes of 3x3 pixels."""
    for _ in range(2):
        maps = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
    return maps
