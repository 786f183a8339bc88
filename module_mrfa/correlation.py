"""Flows in pixels, and how well structures match along them.

All in float32: a flow reaches hundreds of pixels, of which half precision has no fractions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.layers.grid import warp

RADIUS = 3
LEVELS = 2
SAMPLES = LEVELS * (2 * RADIUS + 1) ** 2  # of the volume, for each position


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(2, height, width): every pixel's own x and y, the first one's 0."""
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    y = torch.arange(height, dtype=like.dtype, device=like.device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def to_unit(places: Tensor, height: int, width: int) -> Tensor:
    """Pixel places (..., 2) of a picture -> [-1, 1], the centres of the corner pixels at +-1."""
    last = places.new_tensor([max(width - 1, 1), max(height - 1, 1)])
    return 2 * places / last - 1


def sample(features: Tensor, flow: Tensor) -> Tensor:
    """Features (1 or B, C, h, w) at every pixel moved by a flow (B, 2, h, w) in pixels; zeros outside."""
    height, width = flow.shape[2:]
    places = (flow + pixel_grid(height, width, like=flow)).movedim(1, -1)
    return warp(features, to_unit(places, height, width), align_corners=True)


def pyramid_of(keys: Tensor) -> list[Tensor]:
    """The source's structure (1, C, h, w) at each level of the volume: every one of half the side."""
    levels = [keys]
    for _ in range(LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


class CorrBlock:
    """How well each position of the driving structure matches every one of the source's, at each level.

    `queries` (B, C, h, w) belong to driving frames, `keys` (1, C, ., .) to the source (`pyramid_of`).
    """

    def __init__(self, queries: Tensor, keys: Sequence[Tensor]) -> None:
        self.size = queries.shape[2:]
        self.volumes = [volume(queries, level) for level in keys]

    def lookup(self, centre: Tensor) -> Tensor:
        """A window of matches around places (B, 2, h, w) in pixels of the finest level: (B, SAMPLES, h, w).

        Level after level, and in a level column after column.
        """
        reach = torch.arange(-RADIUS, RADIUS + 1, dtype=centre.dtype, device=centre.device)
        window = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), dim=-1)  # x the slower
        places = centre.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        found: list[Tensor] = []
        for level, matches in enumerate(self.volumes):
            moved = to_unit(places / 2**level + window, *matches.shape[2:])
            found.append(F.grid_sample(matches, moved, padding_mode="zeros", align_corners=True).flatten(1))
        return torch.cat(found, dim=1).view(len(centre), *self.size, SAMPLES).permute(0, 3, 1, 2)


def volume(queries: Tensor, keys: Tensor) -> Tensor:
    """q_d . k_s / sqrt(C) of (B, C, h, w) and (1, C, H, W): (B h w, 1, H, W).

    Frame by frame, into its place: a product's rounding depends on its size, and a copy would cost 64 MB a frame.
    """
    height, width = keys.shape[2:]
    wanted = keys.flatten(2)[0].float()  # (C, H W)
    asking = queries.flatten(2).mT.float() / queries.shape[1] ** 0.5  # (B, h w, C)
    out = asking.new_empty(*asking.shape[:2], height * width)
    for rows, place in zip(asking, out, strict=True):
        torch.mm(rows, wanted, out=place)
    return out.view(-1, 1, height, width)
