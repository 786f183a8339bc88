"""Random smooth deformations for the equivariance loss (FOMM, section 3.1; supplementary section B)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.layers.grid import make_coordinate_grid

TINY = 1e-6


@dataclass(frozen=True)
class Transform:
    """Smooth map z -> A z + sum_i w_i r_i^2 ln r_i with r_i = |z - c_i| in the L1 norm, one sum for x and y.

    `affine` is (B, 2, 3), `weights` (B, n), `centres` (n, 2) a regular grid over [-1, 1].
    """

    affine: Tensor
    weights: Tensor
    centres: Tensor

    @classmethod
    def sample(
        cls,
        count: int,
        generator: torch.Generator,
        device: torch.device,
        sigma_affine: float = 0.05,
        sigma_tps: float = 0.005,
        points: int = 5,
    ) -> Transform:
        """Draw `count` transforms near the identity map, on the CPU, so that a seed means the same everywhere."""
        noise = torch.randn(count, 2, 3, generator=generator) * sigma_affine
        weights = torch.randn(count, points * points, generator=generator) * sigma_tps
        centres = make_coordinate_grid(points, points, like=noise).flatten(0, 1)
        return cls((torch.eye(2, 3) + noise).to(device), weights.to(device), centres.to(device))

    def points(self, points: Tensor) -> Tensor:
        """Move points (B, N, 2): (B, N, 2)."""
        moved = points @ self.affine[:, :, :2].mT + self.affine[:, None, :, 2]
        r = (points[:, :, None] - self.centres).abs().sum(-1)  # (B, N, n)
        return moved + (r.square() * (r + TINY).log() @ self.weights[:, :, None])

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivative of `points` at points (B, N, 2): (B, N, 2, 2), rows are outputs."""
        offset = points[:, :, None] - self.centres  # (B, N, n, 2)
        r = offset.abs().sum(-1)
        slope = 2 * r * (r + TINY).log() + r.square() / (r + TINY)
        bend = ((self.weights[:, None] * slope)[..., None] * offset.sign()).sum(2)  # (B, N, 2)
        return self.affine[:, None, :, :2] + bend[:, :, None, :]

    def picture(self, picture: Tensor) -> Tensor:
        """Show pictures (B, C, H, W) through the transform: result(z) = picture(T(z)), reflected at the border."""
        batch, _, height, width = picture.shape
        grid = make_coordinate_grid(height, width, like=picture).flatten(0, 1)
        moved = self.points(grid.expand(batch, -1, -1)).view(batch, height, width, 2)
        return F.grid_sample(picture, moved, padding_mode="reflection", align_corners=True)
