"""The closed-form square root of a covariance against LAPACK's SVD: entries, signs, and where they part."""

from __future__ import annotations

import pytest
import torch
from first_order_motion.core.layers.grid import make_coordinate_grid
from first_order_motion.module_articulate.covariance import (
    covariance_heatmaps,
    expected_covariance,
    principal_axes,
    relative_frames,
    square_root,
)
from torch import Tensor

COUNT = 20000
# Largest differences of entries of A, relative to the square root of the larger variance. Measured: 1.2e-6, 2.2e-15.
LARGEST = {torch.float32: 2e-6, torch.float64: 5e-15}


def covariances(ratio: float, dtype: torch.dtype, seed: int = 3) -> Tensor:
    """Random symmetric matrices whose variances are up to `ratio` apart, of sizes from 1e-4 to 1."""
    generator = torch.Generator().manual_seed(seed)
    angle, large, spread = torch.rand(3, COUNT, generator=generator, dtype=torch.float64)
    large = 10 ** (-4 * large)
    small = large / ratio**spread
    x, y = (3.2 * angle).cos(), (3.2 * angle).sin()
    xx, xy, yy = large * x * x + small * y * y, (large - small) * x * y, large * y * y + small * x * x
    return torch.stack([xx, xy, xy, yy], dim=-1).unflatten(-1, (2, 2)).to(dtype)


def by_svd(covariance: Tensor) -> Tensor:
    """What the published code does on the CPU."""
    u, s, _ = torch.linalg.svd(covariance)
    return u * s.sqrt().unsqueeze(-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ratio", [2.0, 30.0, 1000.0])
def test_the_same_square_root_as_lapacks_signs_included(ratio: float, dtype: torch.dtype) -> None:
    covariance = covariances(ratio, dtype)
    spread = torch.linalg.eigvalsh(covariance.double())
    clear = spread[:, 1] / spread[:, 0] > 1.1  # of a nearly round region, the axes are anybody's guess
    clear &= covariance[:, 0, 1].abs() > 1e-6 * covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert clear.float().mean() > 0.8
    found, wanted = square_root(covariance)[clear], by_svd(covariance)[clear]
    scale = torch.linalg.matrix_norm(wanted, 2)[:, None, None]
    assert ((found - wanted).abs() / scale).max() < LARGEST[dtype]


@pytest.mark.parametrize("ratio", [1.0, 2.0, 1000.0])
def test_it_is_a_square_root_and_a_reflection(ratio: float) -> None:
    covariance = covariances(ratio, torch.float64)
    root = square_root(covariance)
    scale = covariance.abs().amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(root @ root.mT / scale, covariance / scale, rtol=0, atol=1e-12)
    axes, variances = principal_axes(covariance)
    torch.testing.assert_close(torch.linalg.det(axes), torch.full((COUNT,), -1.0, dtype=torch.float64))
    assert (variances[:, 0] * (1 + 1e-12) >= variances[:, 1]).all()


@pytest.mark.parametrize("diagonal", [(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (1.0, 2.0), (1e-30, 0.0)])
def test_diagonal_and_empty_regions_stay_finite(diagonal: tuple[float, float]) -> None:
    covariance = torch.diag(torch.tensor(diagonal))[None, None]
    root = square_root(covariance)
    assert root.isfinite().all()
    torch.testing.assert_close(root @ root.mT, covariance)
    heatmap = covariance_heatmaps(torch.zeros(1, 1, 2), covariance, torch.zeros(5, 7))
    assert heatmap.isfinite().all() and heatmap.max() <= 1


def test_a_gaussians_own_covariance() -> None:
    covariance = torch.tensor([[[[0.03, 0.01], [0.01, 0.02]], [[0.01, -0.004], [-0.004, 0.02]]]])
    points = torch.tensor([[[0.1, -0.1], [-0.2, 0.0]]])
    grid = make_coordinate_grid(101, 101, covariance)
    heatmap = covariance_heatmaps(points, covariance, grid[..., 0])
    heatmap = heatmap / heatmap.sum(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(expected_covariance(heatmap, points, grid), covariance, rtol=1e-3, atol=1e-5)


def test_the_sign_turns_a_region_by_less_than_a_right_angle() -> None:
    frames = square_root(covariances(10.0, torch.float64).view(2, 100, -1, 2, 2)[:, :, 0])
    relative, sign = relative_frames(frames[:1], frames)
    torch.testing.assert_close(relative, frames[:1] @ torch.linalg.inv(frames))
    assert ((relative * sign)[..., 0, 0] >= 0).all()
    assert sign.shape == (2, 100, 1, 1) and (sign.abs() == 1).all() and len(sign.unique()) == 2


@pytest.mark.parametrize("variances", [(0.3, 0.3), (0.0, 0.0), (0.3, 0.0)])
def test_round_and_empty_regions_leave_gradients_finite(variances: tuple[float, float]) -> None:
    covariance = torch.diag(torch.tensor(variances)).requires_grad_()
    frame = square_root(covariance)
    torch.testing.assert_close(frame @ frame.mT, covariance)
    frame.sum().backward()
    assert covariance.grad is not None
    assert covariance.grad.isfinite().all()
