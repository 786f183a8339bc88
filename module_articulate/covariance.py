"""Shapes of regions: covariances of heatmaps, their square roots, and Gaussians of that shape.

Articulated Animation (Siarohin et al., CVPR 2021), section 3.2: a region's local frame is a square root of
its covariance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.layers.grid import make_coordinate_grid
from ..core.layers.matrix2x2 import inverse_2x2


def expected_covariance(heatmap: Tensor, points: Tensor, grid: Tensor) -> Tensor:
    """Compute covariances of positions under heatmaps (B, K, h, w) about their means (B, K, 2): (B, K, 2, 2).

    Plain sums, as in `heatmap.py`, and for the same reason.
    """
    dx, dy = (grid - points[:, :, None, None, :]).unbind(-1)  # (B, K, h, w) each
    xx, xy, yy = ((heatmap * product).sum(dim=(-2, -1)) for product in (dx * dx, dx * dy, dy * dy))
    return torch.stack([xx, xy, xy, yy], dim=-1).view(*points.shape, 2)


def principal_axes(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Decompose covariances into eigenvectors, the columns of (..., 2, 2), and eigenvalues (..., 2), larger first.

    In closed form. Nothing but the decomposition settles the signs of the vectors, and the published networks were
    trained with those of LAPACK's SVD. For a symmetric matrix that is not diagonal it returns a reflection (a
    determinant of -1) whose first column follows the rule below. Here a diagonal matrix gives one too.
    """
    a, b, c = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    determinant = a * c - b * b
    spread = ((a - c) / 2).square() + b.square()
    first = (a + c) / 2 + safe_sqrt(spread)  # `hypot` cannot be exported to ONNX
    second = (determinant / first.clamp_min(torch.finfo(first.dtype).tiny)).clamp_min(0)
    angle = torch.atan2(2 * b, torch.where(spread == 0, torch.ones_like(a), a - c)) / 2  # 0 for a round region
    upright = (b > 0) & (determinant > a * a + b * b)
    sign = torch.where(upright, 1.0, -1.0).to(angle)
    x, y = sign * angle.cos(), sign * angle.sin()
    return torch.stack([x, y, y, -x], dim=-1).view(covariance.shape), torch.stack([first, second], dim=-1)


def safe_sqrt(x: Tensor) -> Tensor:
    """Take the square root of numbers of at least 0, with no gradient at 0 in place of an infinite one.

    In training, that of a round region, or of one without extent, would leave no weight a number.
    """
    zero = x == 0
    return torch.where(zero, torch.zeros_like(x), torch.where(zero, torch.ones_like(x), x).sqrt())


def square_root(covariance: Tensor) -> Tensor:
    """Compute A = U sqrt(S), with A A^T the covariance U S U^T (section 3.2): (..., 2, 2), signs as LAPACK's."""
    axes, variances = principal_axes(covariance)
    return axes * safe_sqrt(variances).unsqueeze(-2)


def covariance_heatmaps(points: Tensor, covariance: Tensor, maps: Tensor) -> Tensor:
    """Draw exp(-d^T C^-1 d / 2), d = z - p, around points p (B, K, 2), at the size of maps (..., h, w).

    Returns (B, K, h, w).
    """
    grid = make_coordinate_grid(*maps.shape[-2:], like=points)
    inverse = inverse_2x2(covariance)[:, :, None, None]  # (B, K, 1, 1, 2, 2)
    dx, dy = (grid - points[:, :, None, None, :]).unbind(-1)
    distance = dx * dx * inverse[..., 0, 0] + 2 * dx * dy * inverse[..., 0, 1] + dy * dy * inverse[..., 1, 1]
    return torch.exp(-distance.clamp_min(0) / 2)


def relative_frames(source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
    """Compute A_s A_d^-1, and the sign +-1 (B, K, 1, 1) that makes its first entry positive.

    A frame and its negative have the same covariance; the sign keeps regions from turning by half a turn
    where the decomposition chose the other one (`revert_axis_swap` in the published code).
    """
    relative = source @ inverse_2x2(driving)
    sign = torch.where(relative[..., :1, :1] < 0, -1.0, 1.0).to(relative)
    return relative, sign
