"""The discriminator and its losses: published keys, closed forms, and whose gradients come of them."""

from __future__ import annotations

import pytest
import torch
from first_order_motion.training.discriminator import MultiScaleDiscriminator, Verdict
from first_order_motion.training.objectives.adversarial import DiscriminatorObjective
from first_order_motion.training.objectives.params import DiscriminatorParams, FOMMLossWeights
from torch import Tensor

SMALL = DiscriminatorParams(scales=(1.0, 0.5), block_expansion=4, max_features=16, num_blocks=2, use_kp=True)
WEIGHTS = FOMMLossWeights(generator_gan=2.0, discriminator_gan=3.0, feature_matching=(5.0, 0.0))


def pictures(count: int = 2, side: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    drawn = torch.rand(2 * count, 3, side, side, generator=generator)
    return drawn[:count], drawn[count:], torch.rand(count, 3, 2, generator=generator) - 0.5


@pytest.mark.parametrize("sn", [False, True])
def test_keys_are_the_published_ones(sn: bool) -> None:
    network = MultiScaleDiscriminator(
        DiscriminatorParams((1.0, 0.5), 4, 16, 3, use_kp=True, sn=sn), num_kp=3
    ).state_dict()
    weights = ("weight_orig", "weight_u", "weight_v") if sn else ("weight",)
    expected = {
        f"discs.{scale}.{layer}.{name}"
        for scale in ("1", "0-5")
        for layer in ("down_blocks.0.conv", "down_blocks.1.conv", "down_blocks.2.conv", "conv")
        for name in (*weights, "bias")
    }
    norms = {f"discs.{s}.down_blocks.{i}.norm.{n}" for s in ("1", "0-5") for i in (1, 2) for n in ("weight", "bias")}
    assert network.keys() == expected | norms
    assert network[f"discs.0-5.down_blocks.0.conv.{weights[0]}"].shape == (8, 3 + 3, 4, 4)
    assert network[f"discs.1.down_blocks.2.conv.{weights[0]}"].shape == (16, 16, 4, 4)


class Judge(torch.nn.Module):
    """Stands in for a discriminator: its map is the picture's mean, its features are multiples of the picture."""

    scales = (1.0, 0.5)

    def forward(self, pyramid: dict[float, Tensor], points: Tensor) -> list[Verdict]:
        assert not points.requires_grad
        return [Verdict([p, 7 * p], p.mean(dim=(1, 2, 3), keepdim=True)) for p in (pyramid[s] for s in self.scales)]


def test_losses_by_hand() -> None:
    objective = DiscriminatorObjective(Judge(), WEIGHTS)  # pyright: ignore[reportArgumentType]
    driving, prediction = torch.full((2, 3, 32, 32), 0.75), torch.full((2, 3, 32, 32), 0.25)
    points = torch.zeros(2, 3, 2, requires_grad=True)
    levels = [level.mean().item() / 0.75 for level in objective.pyramid(driving).values()]  # borders are darker
    own = sum(3 * ((1 - 0.75 * level) ** 2 + (0.25 * level) ** 2) for level in levels)
    assert objective(driving, prediction, points).total.item() == pytest.approx(own, rel=1e-5)
    terms = objective.generator_terms(prediction, driving, points)
    assert terms["gen_gan"].item() == pytest.approx(sum(2 * (1 - 0.25 * level) ** 2 for level in levels), rel=1e-5)
    assert terms["feature_matching"].item() == pytest.approx(sum(5 * 0.5 * level for level in levels), rel=1e-5)


def test_each_half_of_a_step_has_gradients_of_its_own() -> None:
    objective = DiscriminatorObjective(MultiScaleDiscriminator(SMALL, num_kp=3), WEIGHTS)
    driving, prediction, points = pictures()
    prediction.requires_grad_()
    objective(driving, prediction, points).total.backward()
    assert prediction.grad is None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
    objective.zero_grad()
    objective.requires_grad_(False)  # as the trainer does while the generator learns
    sum(objective.generator_terms(prediction, driving, points).values()).backward()
    assert prediction.grad is not None
    assert prediction.grad.abs().sum() > 0
    assert all(p.grad is None for p in objective.parameters())


def test_a_step_tells_true_pictures_from_predicted_ones_better() -> None:
    torch.manual_seed(0)
    objective = DiscriminatorObjective(MultiScaleDiscriminator(SMALL, num_kp=3), WEIGHTS)
    optimizer = torch.optim.Adam(objective.parameters(), 1e-3, (0.5, 0.999))
    values: list[float] = []
    for _ in range(4):
        loss = objective(*pictures()).total
        values.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert values == sorted(values, reverse=True)


def test_spectral_norm_brings_weights_to_norm_one() -> None:
    torch.manual_seed(0)
    network = MultiScaleDiscriminator(DiscriminatorParams((1.0,), 4, 16, 2, use_kp=True, sn=True), num_kp=3)
    driving, _, points = pictures(1)
    for _ in range(60):
        network({1.0: driving}, points)
    weight = network.get_submodule("discs.1.down_blocks.1.conv").weight
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_keypoints_change_the_verdict_only_where_they_are_seen() -> None:
    torch.manual_seed(0)
    driving, _, points = pictures()
    for use_kp in (False, True):
        network = MultiScaleDiscriminator(DiscriminatorParams((1.0,), 4, 16, 2, use_kp=use_kp), num_kp=3)
        one, other = (network({1.0: driving}, where)[0].map for where in (points, -points))
        assert torch.equal(one, other) != use_kp
