"""Heatmaps of points, and the points of heatmaps.

Averages are plain sums, not matrix products: a product's rounding depends on the size of the batch, and the
networks behind amplify it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .grid import make_coordinate_grid


def at_least_float32(x: Tensor) -> Tensor:
    """Convert to float32 what has fewer bits: coordinates, and means of many numbers, need them."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def spatial_softmax(logits: Tensor, temperature: float) -> Tensor:
    """Turn logits (B, K, h, w) into heatmaps of the same shape, each of which sums to 1 over its positions."""
    return torch.softmax(logits.contiguous().flatten(2) / temperature, dim=-1).view(logits.shape)


def expected_point(heatmap: Tensor, grid: Tensor) -> Tensor:
    """Average the positions of a grid (h, w, 2) under heatmaps (B, K, h, w): points (B, K, 2)."""
    return torch.stack([(heatmap * axis).sum(dim=(-2, -1)) for axis in grid.unbind(-1)], dim=-1)


def expected_frame(heatmap: Tensor, maps: Tensor) -> Tensor:
    """Average linear maps (B, 4 or 4K, h, w) under heatmaps (B, K, h, w): jacobians (B, K, 2, 2).

    Channels are keypoint-major, four to a keypoint, row by row; four channels in all serve every keypoint.
    """
    batch, points = heatmap.shape[:2]
    per_point = maps.contiguous().view(batch, -1, 4, *maps.shape[2:])  # (B, 1 or K, 4, h, w)
    weights = heatmap.unsqueeze(2)  # (B, K, 1, h, w)
    return (per_point * weights).sum(dim=(-2, -1)).view(batch, points, 2, 2)


def gaussian_heatmaps(points: Tensor, maps: Tensor, variance: float) -> Tensor:
    """Draw exp(-|z - p|^2 / (2 variance)) around points p (B, K, 2), at the size of maps (..., h, w): (B, K, h, w)."""
    offset = make_coordinate_grid(*maps.shape[-2:], like=points) - points[:, :, None, None, :]
    return torch.exp(-offset.square().sum(-1) / (2 * variance))


def heatmap_difference(source: Tensor, driving: Tensor) -> Tensor:
    """Subtract the source's heatmaps (1 or B, K, h, w) from the driving ones (B, K, h, w), an empty background first.

    Returns (B, K+1, h, w).
    """
    return F.pad(driving - source, (0, 0, 0, 0, 1, 0))
