"""Coordinate grids and sampling along them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def make_coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Make a grid (height, width, 2) of (x, y) in [-1, 1], the centres of the corner pixels at exactly +-1.

    Dtype and device are those of `like`. A side of one pixel sits at -1, as in the published code.
    """
    x = 2 * (torch.arange(width, dtype=like.dtype, device=like.device) / max(width - 1, 1)) - 1
    y = 2 * (torch.arange(height, dtype=like.dtype, device=like.device) / max(height - 1, 1)) - 1
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)


def resize_map(maps: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resize maps (B, C, h, w) to (B, C, *size), bilinear; those of that size are returned untouched."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)


def resize_flow(flow: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resize a flow (B, h, w, 2), bilinear."""
    if flow.shape[1:3] == size:
        return flow
    return resize_map(flow.movedim(-1, 1), size, align_corners).movedim(1, -1)


def warp(
    features: Tensor,
    flow: Tensor,
    align_corners: bool = False,
    resize_aligned: bool = False,
    visibility: Tensor | None = None,
) -> Tensor:
    """Sample features (1 or B, C, H, W) along a backward flow (B, h, w, 2): (B, C, H, W), of the features' type.

    Bilinear, zeros outside. A flow of another size is resized first, with its corners aligned if
    `resize_aligned`. `align_corners` is the convention of the sampling itself: the published FOMM code runs
    at PyTorch's default (False), Thin-Plate Spline and parts of MRFA align. What is sampled is dimmed by `visibility`
    (B, 1, H, W) before it is rounded.
    """
    height, width = features.shape[-2:]
    flow = resize_flow(flow, (height, width), resize_aligned)
    dtype, features = features.dtype, features.to(flow.dtype)  # coordinates need all their bits
    if features.shape[0] != flow.shape[0]:
        features = features.expand(flow.shape[0], -1, -1, -1)
    moved = F.grid_sample(features, flow, mode="bilinear", padding_mode="zeros", align_corners=align_corners)
    return (moved if visibility is None else moved * visibility).to(dtype)


def flow_map(flow: Tensor, size: tuple[int, int], align_corners: bool = False, resize_aligned: bool = False) -> Tensor:
    """Write a backward flow (B, h, w, 2) as the places in a picture of `size` that `warp` samples: (B, 2, *size).

    Whatever the convention of the sampling, the places are x and y in [-1, 1] between the centres of the corner pixels.
    """
    height, width = size
    x, y = resize_flow(flow.float(), size, resize_aligned).unbind(-1)
    if not align_corners:  # there, +-1 are the outer edges of the corner pixels
        x, y = x * (width / max(width - 1, 1)), y * (height / max(height - 1, 1))
    return torch.stack([x, y], dim=1)


def warp_each(picture: Tensor, flows: Tensor, align_corners: bool = False) -> Tensor:
    """Sample a picture (1 or B, C, h, w) along each of N flows (B, N, h, w, 2) of its size: (B, N, C, h, w)."""
    batch, count = flows.shape[:2]
    repeated = picture[:, None].expand(batch, count, *picture.shape[1:])
    moved = warp(repeated.flatten(0, 1), flows.flatten(0, 1), align_corners)
    return moved.view(batch, count, *picture.shape[1:])


def project(matrix: Tensor, grid: Tensor) -> Tensor:
    """Transform the positions of a grid (h, w, 2) by matrices on homogeneous coordinates (B, 3, 3): (B, h, w, 2)."""
    x, y = grid.unbind(-1)
    rows = [a * x + b * y + c for a, b, c in (row[..., None, None].unbind(1) for row in matrix.unbind(1))]
    return torch.stack([rows[0] / rows[2], rows[1] / rows[2]], dim=-1)
