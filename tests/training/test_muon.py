"""The optimizer of the inner convolutions, and which those are."""

import pytest
import torch
from first_order_motion.module_fomm.drawn.network import DrawnAnimator
from first_order_motion.training.bundled import BUNDLED, SIZE
from first_order_motion.training.muon import Muon, is_inner, nearly_orthogonal
from torch import nn


@pytest.mark.parametrize("shape", [(16, 144), (200, 40), (32, 32)])
def test_singular_values_become_about_one_and_their_directions_stay(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(side, 8, generator=generator)).Q for side in shape)
    matrix = left @ torch.diag(torch.logspace(0, -2, 8)) @ right.T
    directions = left.T @ nearly_orthogonal(matrix) @ right
    assert directions.diagonal().min() > 0.65 and directions.diagonal().max() < 1.25
    assert (directions - torch.diag(directions.diagonal())).abs().max() < 1e-3


def test_a_step_is_as_large_as_the_rate_says() -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(16, 32, 3)
    before = conv.weight.detach().clone()
    conv(torch.randn(2, 16, 8, 8)).square().sum().backward()
    Muon([conv.weight], lr=1e-2, scale=0.5).step()
    moved = (conv.weight.detach() - before).square().mean().sqrt().item()
    assert 0.7 * 5e-3 < moved < 1.2 * 5e-3


def test_a_parameter_without_gradient_rests() -> None:
    conv = nn.Conv2d(16, 16, 3)
    before = conv.weight.detach().clone()
    Muon([conv.weight], lr=1.0).step()
    assert torch.equal(conv.weight, before)


def test_momentum_outlasts_the_gradient() -> None:
    """Against a gradient that changed sign but is much smaller, the old direction wins."""
    weight = nn.Parameter(torch.zeros(8, 8, 3, 3))
    muon = Muon([weight], lr=1e-3)
    weight.grad = torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(2))
    first = weight.grad.clone()
    muon.step()
    weight.grad = -0.1 * first
    after_one = weight.detach().clone()
    muon.step()
    assert ((weight.detach() - after_one) * first).sum() < 0


def test_inner_convolutions_of_the_bundled_model() -> None:
    parameters = dict(DrawnAnimator(BUNDLED, SIZE).named_parameters())
    inner = {name for name, parameter in parameters.items() if is_inner(parameter)}
    assert {"generator.bottleneck.r0.conv1.weight", "generator.refine_blocks.1.r0.conv2.weight"} <= inner
    ends = ("first.conv", "final", "blend", "mask", "occlusion", "maps", "kp", "jacobian")
    assert not [name for name in inner if name.split(".weight")[0].endswith(ends)]
    assert sum(parameters[name].numel() for name in inner) > 0.8 * sum(p.numel() for p in parameters.values())
