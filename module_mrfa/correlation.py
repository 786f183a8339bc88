"""Flows in pixels, and correlations of structures along them (as RAFT's, Teed and Deng, ECCV 2020).

All in float32: a flow reaches hundreds of pixels, of which half precision has no fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.grid import warp
from ..core.layers.matmul import MatMul

RADIUS = 3
LEVELS = 2
SAMPLES = LEVELS * (2 * RADIUS + 1) ** 2  # of the volume, for each position


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Make a grid (2, height, width) of every pixel's own x and y, from 0 on."""
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    y = torch.arange(height, dtype=like.dtype, device=like.device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def to_unit(places: Tensor, height: int, width: int) -> Tensor:
    """Scale pixel places (..., 2) of a picture to [-1, 1], the centres of the corner pixels at +-1."""
    x, y = places.unbind(-1)
    return torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)


def destinations(flow: Tensor) -> Tensor:
    """Say where every pixel moved by a flow (B, 2, h, w) in pixels is, as `to_unit` scales it: (B, 2, h, w)."""
    height, width = flow.shape[2:]
    moved = (flow + pixel_grid(height, width, like=flow)).movedim(1, -1)
    return to_unit(moved, height, width).movedim(-1, 1)


def sample(features: Tensor, flow: Tensor) -> Tensor:
    """Sample features (1 or B, C, h, w) at every pixel moved by a flow (B, 2, h, w) in pixels; zeros outside."""
    return warp(features, destinations(flow).movedim(1, -1), align_corners=True)


def pyramid_of(keys: Tensor) -> list[Tensor]:
    """Pool the source's structure (1, C, h, w) for each level of the volume, to half the side of the one before."""
    levels = [keys]
    for _ in range(LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


class CorrVolume(nn.Module):
    """Correlation of each position of a driving structure with every one of the source's, at each level."""

    def __init__(self) -> None:
        super().__init__()
        self.product = MatMul()

    def forward(self, queries: Tensor, keys: Sequence[Tensor]) -> CorrBlock:
        """Correlate driving structures (B, C, h, w) with the source's pyramid, (1, C, ., .) each (`pyramid_of`)."""
        return CorrBlock(queries.shape[2], queries.shape[3], [self.level(queries, level) for level in keys])

    def level(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Compute q_d . k_s / sqrt(C) of (B, C, h, w) and (1, C, H, W): (B h w, 1, H, W)."""
        channels, height, width = keys.shape[1:]
        asking = queries.flatten(2).mT.float() / channels**0.5  # (B, h w, C)
        return self.product(asking, keys.flatten(2).float()).view(-1, 1, height, width)


@dataclass(frozen=True, slots=True)
class CorrBlock:
    """Correlations of (height, width) driving positions, B frames of them: `volumes` (B h w, 1, ., .) by level."""

    height: int
    width: int
    volumes: list[Tensor]

    def lookup(self, centre: Tensor) -> Tensor:
        """Sample a window around places (B, 2, h, w) in pixels of the finest level: (B, SAMPLES, h, w).

        Level after level, and in a level column after column.
        """
        reach = torch.arange(-RADIUS, RADIUS + 1, dtype=centre.dtype, device=centre.device)
        window = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), dim=-1)  # x the slower
        places = centre.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        found: list[Tensor] = []
        for level, matches in enumerate(self.volumes):
            moved = to_unit(places / 2**level + window, *matches.shape[2:])
            found.append(F.grid_sample(matches, moved, padding_mode="zeros", align_corners=True).flatten(1))
        return torch.cat(found, dim=1).view(-1, self.height, self.width, SAMPLES).permute(0, 3, 1, 2)
