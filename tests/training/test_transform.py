"""The equivariance transform of each kind: derivatives, samples' own transforms, and the losses made of it."""

from __future__ import annotations

import math

import pytest
import torch
from first_order_motion.core.types import Motion
from first_order_motion.training.losses import equivariance
from first_order_motion.training.transform import PlateTransform, Transform, TransformParams
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

CPU = torch.device("cpu")
KINDS = pytest.mark.parametrize("kind", [Transform, PlateTransform])
STRONG = TransformParams(sigma_affine=0.2, sigma_tps=0.05)
coordinates = st.floats(-1, 1, width=32)


def drawn(kind: type[Transform], seed: int, count: int = 1, params: TransformParams = STRONG) -> Transform:
    found = kind.for_draws(torch.arange(count), seed, params, CPU)
    return kind(found.affine.double(), found.weights.double(), found.centres.double())


def near(point: Tensor, centres: Tensor) -> bool:
    """Whether a coordinate is so close to a centre's that |x| has a kink between it and its neighbours."""
    return bool(((point[0, :, None] - centres).abs() < 1e-3).any())


@KINDS
def test_one_point_by_hand(kind: type[Transform]) -> None:
    affine = torch.tensor([[[1.1, 0.2, 0.3], [-0.1, 0.9, -0.2]]], dtype=torch.float64)
    moved = kind(affine, torch.tensor([[0.5]]).double(), torch.tensor([[0.25, -0.5]]).double())
    x, y = moved.points(torch.tensor([[[0.5, 0.25]]]).double())[0, 0].tolist()
    r, q = 0.25 + 0.75, 0.25**2 + 0.75**2
    bent = 0.5 * (q * math.log(q + 1e-9) if kind is PlateTransform else r**2 * math.log(r + 1e-6))
    assert x == pytest.approx(1.1 * 0.5 + 0.2 * 0.25 + 0.3 + bent, abs=1e-12)
    assert y == pytest.approx(-0.1 * 0.5 + 0.9 * 0.25 - 0.2 + bent, abs=1e-12)


@KINDS
@settings(max_examples=40, deadline=None)
@given(x=coordinates, y=coordinates, seed=st.integers(0, 2**40))
def test_the_jacobian_is_that_of_autograd_and_of_differences(
    kind: type[Transform], x: float, y: float, seed: int
) -> None:
    moved, point = drawn(kind, seed), torch.tensor([[[x, y]]], dtype=torch.float64)
    found = moved.jacobian(point)[0, 0]
    expected = torch.autograd.functional.jacobian(moved.points, point).reshape(2, 2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    if not near(point, moved.centres):
        steps = 1e-6 * torch.eye(2, dtype=torch.float64)
        columns = [(moved.points(point + step) - moved.points(point - step))[0, 0] / 2e-6 for step in steps]
        torch.testing.assert_close(found, torch.stack(columns, dim=1), rtol=1e-6, atol=1e-6)


@KINDS
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**40), angle=st.floats(-3, 3), stretch=st.floats(0.2, 3))
def test_equivariance_is_none_for_keypoints_that_follow(
    kind: type[Transform], seed: int, angle: float, stretch: float
) -> None:
    moved = drawn(kind, seed, 2)
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.6 - 0.8
    turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    frames = (stretch * torch.tensor(turn, dtype=torch.float64)).expand(2, 3, 2, 2)
    driving = Motion(moved.points(points), moved.jacobian(points) @ frames)
    assert max(value.item() for value in equivariance(driving, Motion(points, frames), moved).values()) < 1e-9
    off = equivariance(Motion(driving.points + 0.1, driving.jacobians), Motion(points, frames), moved)
    assert off["equivariance_value"].item() == pytest.approx(0.1, abs=1e-9)


@pytest.mark.parametrize("unsigned", [False, True])
def test_the_jacobian_term_by_hand(unsigned: bool) -> None:
    one = Transform(torch.eye(2, 3)[None], torch.zeros(1, 1), torch.zeros(1, 2))
    driving = Motion(torch.zeros(1, 1, 2), torch.tensor([[[[2.0, 0.0], [0.0, 4.0]]]]))
    moved = Motion(torch.zeros(1, 1, 2), torch.tensor([[[[-2.0, 0.0], [2.0, -4.0]]]]))
    # the product is [[-1, 0], [1/2, -1]], and its negative means the same where frames have no sign
    expected = (0 + 0 + 0.5 + 0) / 4 if unsigned else (2 + 0 + 0.5 + 2) / 4
    found = equivariance(driving, moved, one, unsigned)["equivariance_jacobian"]
    assert found.item() == pytest.approx(expected, abs=1e-6)


@KINDS
@pytest.mark.parametrize("unsigned", [False, True])
def test_gradients_of_the_losses_are_those_of_differences(kind: type[Transform], unsigned: bool) -> None:
    moved, generator = drawn(kind, 5, 2), torch.Generator().manual_seed(7)
    points = [torch.rand(2, 3, 2, generator=generator, dtype=torch.float64) - 0.5 for _ in range(2)]
    frames = [torch.eye(2) + 0.2 * torch.randn(2, 3, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2)]

    def losses(*leaves: Tensor) -> tuple[Tensor, ...]:
        return tuple(equivariance(Motion(*leaves[:2]), Motion(*leaves[2:]), moved, unsigned).values())

    leaves = [leaf.requires_grad_() for pair in zip(points, frames, strict=True) for leaf in pair]
    assert torch.autograd.gradcheck(losses, leaves)


@KINDS
def test_a_transform_is_its_samples_own(kind: type[Transform]) -> None:
    draws = torch.tensor([5, 2**33, 0])
    together = kind.for_draws(draws, 3, TransformParams(), CPU)
    for place in (2, 0, 1):
        alone = kind.for_draws(draws[place : place + 1], 3, TransformParams(), CPU)
        assert torch.equal(alone.affine[0], together.affine[place])
        assert torch.equal(alone.weights[0], together.weights[place])
    other = kind.for_draws(draws, 4, TransformParams(), CPU)
    assert not torch.equal(other.affine, together.affine)


def test_draws_have_the_spread_asked_for() -> None:
    params = TransformParams(sigma_affine=0.3, sigma_tps=0.02, points_tps=4)
    many = Transform.for_draws(torch.arange(2000), 0, params, CPU)
    assert many.weights.shape == (2000, 16)
    assert (many.affine - torch.eye(2, 3)).std().item() == pytest.approx(0.3, rel=0.03)
    assert many.weights.std().item() == pytest.approx(0.02, rel=0.03)


def test_a_picture_is_sampled_by_either_convention() -> None:
    still = Transform(torch.eye(2, 3)[None], torch.zeros(1, 1), torch.zeros(1, 2))
    picture = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(still.picture(picture), picture)
    # the published code samples between pixels even where nothing moves
    assert (still.picture(picture, align_corners=False) - picture).abs().max() > 0.05
