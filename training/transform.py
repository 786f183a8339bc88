"""Random smooth deformations for the equivariance loss (FOMM, section 3.1; supplementary section B)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Self

from ..core.layers.grid import make_coordinate_grid
from ..module_spline.thin_plate import NEVER_ZERO, kernel
from .draws import generator_for

TINY = 1e-6
PURPOSE = 2  # first number of its streams, see `draws.generator_for`

MOST_SPREAD = 10.0  # half the width of a picture is 1
MOST_POINTS = 32  # a side


@dataclass(frozen=True, slots=True)
class TransformParams:
    """Spread of random transforms (`transform_params`): of the affine part, and of the bending at
    `points_tps` x `points_tps` places."""

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5

    def check(self) -> None:
        """Raise ValueError for numbers that no transform can have."""
        for name in ("sigma_affine", "sigma_tps"):
            if not 0 <= (value := float(getattr(self, name))) <= MOST_SPREAD:
                raise ValueError(f"{name} is {value}; 0 to {MOST_SPREAD:g} was wanted")
        if not 1 <= self.points_tps <= MOST_POINTS:
            raise ValueError(f"points_tps is {self.points_tps}; 1 to {MOST_POINTS} was wanted")


@dataclass(frozen=True)
class Transform:
    """Smooth map z -> A z + sum_i w_i U(z - c_i), one sum for x and y.

    U(o) = r^2 ln r with r = |o| in the L1 norm. `affine` is (B, 2, 3), `weights` (B, n), `centres` (n, 2) a regular
    grid over [-1, 1].
    """

    affine: Tensor
    weights: Tensor
    centres: Tensor

    @classmethod
    def sample(
        cls, count: int, generator: torch.Generator, device: torch.device, params: TransformParams | None = None
    ) -> Self:
        """Draw `count` transforms near the identity map, on the CPU, so that a seed means the same everywhere."""
        params = params or TransformParams()
        noise = torch.randn(count, 2, 3, generator=generator) * params.sigma_affine
        weights = torch.randn(count, params.points_tps**2, generator=generator) * params.sigma_tps
        return cls.near_identity(noise, weights, params.points_tps, device)

    @classmethod
    def for_draws(cls, draws: Tensor, seed: int, params: TransformParams, device: torch.device) -> Self:
        """Draw a transform for each sample, from its number alone: `draws` (B), int64."""
        generators = [generator_for(seed, PURPOSE, int(draw)) for draw in draws]
        noise = torch.stack([torch.randn(6 + params.points_tps**2, generator=generator) for generator in generators])
        affine = noise[:, :6].view(-1, 2, 3) * params.sigma_affine
        return cls.near_identity(affine, noise[:, 6:] * params.sigma_tps, params.points_tps, device)

    @classmethod
    def near_identity(cls, affine: Tensor, weights: Tensor, points: int, device: torch.device) -> Self:
        """Make transforms that differ from the identity map by affine parts (B, 2, 3) and weights (B, points^2)."""
        centres = make_coordinate_grid(points, points, like=affine).flatten(0, 1)
        return cls((torch.eye(2, 3) + affine).to(device), weights.to(device), centres.to(device))

    def points(self, points: Tensor) -> Tensor:
        """Move points (B, N, 2): (B, N, 2)."""
        moved = points @ self.affine[:, :, :2].mT + self.affine[:, None, :, 2]
        return moved + self.bending(points[:, :, None] - self.centres) @ self.weights[:, :, None]

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivative of `points` at points (B, N, 2): (B, N, 2, 2), rows are outputs."""
        slope = self.slope(points[:, :, None] - self.centres)
        bend = (self.weights[:, None, :, None] * slope).sum(2)  # (B, N, 2)
        return self.affine[:, None, :, :2] + bend[:, :, None, :]

    def bending(self, offset: Tensor) -> Tensor:
        """Evaluate U at offsets (..., 2)."""
        r = offset.abs().sum(-1)
        return r.square() * (r + TINY).log()

    def slope(self, offset: Tensor) -> Tensor:
        """Differentiate U at offsets (..., 2): (..., 2)."""
        r = offset.abs().sum(-1)
        return (2 * r * (r + TINY).log() + r.square() / (r + TINY))[..., None] * offset.sign()

    def picture(self, picture: Tensor, align_corners: bool = True) -> Tensor:
        """Show pictures (B, C, H, W) through the transform: result(z) = picture(T(z)), reflected at the border."""
        batch, _, height, width = picture.shape
        grid = make_coordinate_grid(height, width, like=picture).flatten(0, 1)
        moved = self.points(grid.expand(batch, -1, -1)).view(batch, height, width, 2)
        return F.grid_sample(picture, moved, padding_mode="reflection", align_corners=align_corners)


class PlateTransform(Transform):
    """Transform of the Thin-Plate Spline model: U(o) = q ln q with q = |o|^2, the bending of a thin plate."""

    def bending(self, offset: Tensor) -> Tensor:
        """Evaluate U at offsets (..., 2)."""
        return kernel(offset.square().sum(-1))

    def slope(self, offset: Tensor) -> Tensor:
        """Differentiate U at offsets (..., 2): (..., 2)."""
        q = offset.square().sum(-1)
        return ((q + NEVER_ZERO).log() + q / (q + NEVER_ZERO))[..., None] * 2 * offset
