"""The objectives of all architectures: their terms, whose gradients come of them, and that a step lowers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from first_order_motion.core.errors import InputError
from first_order_motion.core.inference.precision import to_mixed_precision
from first_order_motion.core.types import Motion
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_articulate.config import BGPredictorConfig
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.module_spline.dense_motion import contributions
from first_order_motion.training.data.batch import Batch
from first_order_motion.training.objectives.articulate import ArticulateObjective
from first_order_motion.training.objectives.base import Comparison, Objective
from first_order_motion.training.objectives.fomm import FOMMObjective
from first_order_motion.training.objectives.params import (
    ArticulateLossWeights,
    DiscriminatorParams,
    FOMMLossWeights,
    SplineLossWeights,
    SplineSchedule,
)
from first_order_motion.training.objectives.spline import SplineObjective
from first_order_motion.training.perceptual import VGG19
from support.architectures import ARTICULATE, FOMM, SPLINE
from torch import Tensor
from torch.nn import functional as F

SIDE = 64
CPU = torch.device("cpu")
PIXELS = Comparison()
GAN = FOMMLossWeights(generator_gan=1.0, feature_matching=(10.0, 10.0))
SMALL_CRITIC = DiscriminatorParams(block_expansion=4, max_features=8, num_blocks=2, use_kp=True)
SMALL_BACKGROUND = replace(ARTICULATE, bg_predictor=BGPredictorConfig(block_expansion=4, max_features=16, num_blocks=3))
BENT = SplineSchedule(bg_start=0)  # with dropout, and a background that moves


def fomm(weights: FOMMLossWeights = FOMMLossWeights()) -> FOMMObjective:  # noqa: B008 (frozen)
    return FOMMObjective(FOMMAnimator(FOMM, SIDE), weights, PIXELS, SMALL_CRITIC)


def articulate(weights: ArticulateLossWeights = ArticulateLossWeights()) -> ArticulateObjective:  # noqa: B008
    return ArticulateObjective(ArticulateAnimator(SMALL_BACKGROUND, SIDE), weights, PIXELS)


def spline(weights: SplineLossWeights = SplineLossWeights(), schedule: SplineSchedule = BENT) -> SplineObjective:  # noqa: B008
    return SplineObjective(SplineAnimator(SPLINE, SIDE), weights, PIXELS, schedule)


PIXEL_TERMS = ["pyramid", "gradient", "warped"]
EVERY: dict[str, tuple[Callable[[], Objective], list[str]]] = {
    "fomm": (fomm, [*PIXEL_TERMS, "equivariance_value", "equivariance_jacobian"]),
    "fomm_gan": (
        lambda: fomm(GAN),
        [*PIXEL_TERMS, "gen_gan", "feature_matching", "equivariance_value", "equivariance_jacobian"],
    ),
    "articulate": (articulate, [*PIXEL_TERMS, "equivariance_shift", "equivariance_affine"]),
    "spline": (spline, [*PIXEL_TERMS, "bg", "warp_loss", "equivariance_value"]),
}
OBJECTIVES = pytest.mark.parametrize("name", EVERY)


def made(name: str, seed: int = 0) -> Objective:
    torch.manual_seed(seed)
    return EVERY[name][0]().train()


def batch(count: int = 2) -> Batch:
    """Smooth pictures, of which the driving ones are moved sources."""
    generator = torch.Generator().manual_seed(6)
    coarse = torch.rand(count, 3, 10, 10, generator=generator)
    picture = F.interpolate(coarse, (SIDE + 8, SIDE + 8), mode="bicubic", align_corners=True).clamp(0, 1)
    return Batch(picture[..., 8:, 8:], picture[..., :-8, :-8], torch.arange(3, 3 + count))


def losses_of(objective: Objective):
    given = batch()
    return objective(given, objective.transform_for(given.draws, 1, CPU))


@OBJECTIVES
def test_terms_have_the_published_names_and_outputs_no_history(name: str) -> None:
    losses = losses_of(made(name))
    assert [*losses.terms] == EVERY[name][1]
    assert losses.total.item() == pytest.approx(sum(term.item() for term in losses.terms.values()), rel=1e-6)
    assert all(term.shape == () and (term > 0 or key == "bg") for key, term in losses.terms.items())
    assert not any(value.requires_grad for value in losses.outputs.values())
    assert losses.outputs["prediction"].shape == losses.outputs["deformed"].shape == (2, 3, SIDE, SIDE)
    assert losses.outputs["kp_driving"].shape[::2] == (2, 2)


@OBJECTIVES
def test_every_parameter_learns_and_nothing_else_does(name: str) -> None:
    objective = made(name)
    losses_of(objective).total.backward()
    idle = [key for key, parameter in objective.named_parameters() if parameter.grad is None]
    assert idle == []
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
    held = {id(p) for network in objective.networks.values() for p in network.parameters()}
    assert {id(p) for p in objective.parameters()} == held  # not the discriminator's


@OBJECTIVES
def test_steps_lower_the_loss_on_one_batch(name: str) -> None:
    objective = made(name)
    optimizer = torch.optim.Adam(objective.parameters(), 2e-4, (0.5, 0.999))
    values: list[float] = []
    for _ in range(4):
        total = losses_of(objective).total
        values.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert values[-1] < values[0]


@OBJECTIVES
def test_a_seed_and_the_samples_numbers_settle_a_step(name: str) -> None:
    one, other = (losses_of(made(name)).terms for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (lambda: fomm(FOMMLossWeights(equivariance_value=0, equivariance_jacobian=0)), PIXEL_TERMS),
        (lambda: fomm(FOMMLossWeights(equivariance_value=0)), [*PIXEL_TERMS, "equivariance_jacobian"]),
        (lambda: spline(SplineLossWeights(equivariance_value=0, warp_loss=0, bg=0)), PIXEL_TERMS),
        (lambda: articulate(ArticulateLossWeights(equivariance_affine=0)), [*PIXEL_TERMS, "equivariance_shift"]),
    ],
)
def test_terms_without_weight_are_left_out(make: Callable[[], Objective], left: list[str]) -> None:
    losses = losses_of(make().train())
    assert [*losses.terms] == left
    assert ("transformed_kp" in losses.outputs) == any(name.startswith("equivariance") for name in left)


def test_weights_are_factors() -> None:
    torch.manual_seed(0)
    animator = FOMMAnimator(FOMM, SIDE)  # in evaluation mode, so that a step changes nothing
    once, thrice = (
        losses_of(FOMMObjective(animator, FOMMLossWeights(equivariance_value=w), PIXELS).eval()).terms for w in (1, 3)
    )
    torch.testing.assert_close(thrice["equivariance_value"], 3 * once["equivariance_value"])
    assert once["equivariance_jacobian"] == thrice["equivariance_jacobian"]


def test_metadata_tell_how_pictures_were_compared() -> None:
    assert "no VGG19" in fomm().metadata["reconstruction_loss"]
    with torch.device("meta"):
        vgg = VGG19()
    seen = FOMMObjective(FOMMAnimator(FOMM, SIDE), FOMMLossWeights(), Comparison(vgg))
    assert seen.metadata["reconstruction_loss"] == "perceptual (VGG19)"


def test_a_discriminator_is_there_only_where_it_counts() -> None:
    assert fomm().discriminator_objective is None
    objective = fomm(GAN)
    assert objective.discriminator_objective is not None
    given, losses = batch(), losses_of(objective)
    own = objective.discriminator_objective(given.driving, losses.outputs["prediction"], losses.outputs["kp_driving"])
    assert [*own.terms] == ["disc_gan"]
    with pytest.raises(InputError, match="feature_matching has 4 weights for the discriminator's 2 blocks"):
        fomm(FOMMLossWeights(generator_gan=1.0))


def test_pixel_losses_by_hand() -> None:
    objective, given = fomm().eval(), batch()
    losses = losses_of(objective)
    prediction, target = losses.outputs["prediction"], given.driving
    error, levels = prediction - target, []
    for size in (1, 2, 4):
        levels.append(F.avg_pool2d(error, size).abs().mean().item())
    assert losses.terms["pyramid"].item() == pytest.approx(10 * sum(levels) / 3, rel=1e-5)
    steps = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    assert losses.terms["gradient"].item() == pytest.approx(10 * steps.item(), rel=1e-5)


def test_equivariance_of_regions_by_inverse_and_autograd() -> None:
    objective, given = articulate().eval(), batch()
    transform = objective.transform_for(given.draws, 1, CPU)
    transform = replace(transform, affine=-transform.affine)  # half a turn, which frames cannot show
    terms = objective(given, transform).terms
    driving: Motion = objective.region_predictor(given.driving)
    moved: Motion = objective.region_predictor(transform.picture(given.driving, align_corners=False))
    points = moved.points.detach().requires_grad_()
    warped = transform.points(points)
    rows = [torch.autograd.grad(warped[..., axis].sum(), points, retain_graph=True)[0] for axis in (0, 1)]
    product = torch.linalg.inv(driving.jacobians) @ torch.stack(rows, dim=-2) @ moved.jacobians
    assert (product[..., 0, 0] < 0).any()
    product = product * product[..., :1, :1].sign()
    expected = 10 * (torch.eye(2) - product).abs().mean()
    torch.testing.assert_close(terms["equivariance_affine"], expected, rtol=1e-4, atol=1e-5)
    shift = 10 * (driving.points - warped).abs().mean()
    torch.testing.assert_close(terms["equivariance_shift"], shift, rtol=1e-5, atol=1e-6)


def homogeneous(affine: Tensor) -> Tensor:
    return torch.cat([affine, torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(affine), 1, 3)], dim=1)


def test_the_background_goes_there_and_back_again() -> None:
    torch.manual_seed(0)
    objective, given = spline(schedule=SplineSchedule(bg_start=0, dropout_epoch=0)).eval(), batch()
    assert objective.bg_predictor is not None
    assert losses_of(objective).terms["bg"] < 1e-6  # it begins at rest
    torch.nn.init.normal_(objective.bg_predictor.bg_encoder.fc.weight, std=0.01)
    pairs = ((given.source, given.driving), (given.driving, given.source))
    there, back = (
        homogeneous(objective.bg_predictor.bg_encoder(torch.cat(pair, dim=1)).view(2, 2, 3)) for pair in pairs
    )
    expected = 10 * (there @ back - torch.eye(3)).abs().mean()
    assert expected > 0.01
    torch.testing.assert_close(losses_of(objective).terms["bg"], expected)


def test_the_warp_loss_by_hand_and_for_the_flow_alone() -> None:
    torch.manual_seed(0)
    weights = SplineLossWeights(equivariance_value=0, bg=0)
    objective, given = spline(weights, SplineSchedule(bg_start=9, dropout_epoch=0)).eval(), batch()
    losses, network = losses_of(objective), objective.inpainting_network
    losses.terms["warp_loss"].backward()
    assert all(parameter.grad is None for parameter in network.parameters())
    heads = objective.dense_motion_network.occlusion
    assert all(parameter.grad is None for parameter in heads.parameters())
    assert objective.dense_motion_network.maps.weight.grad is not None

    with torch.no_grad():
        points = [objective.kp_detector(picture) for picture in (given.source, given.driving)]
        motion = objective.dense_motion_network(objective.dense_motion_network.encode(given.source, points[0]), *points)
        total, maps = 0.0, [given.source, given.driving]
        for depth, shown in enumerate(reversed(motion.occlusion_maps)):
            block = network.first if depth == 0 else network.down_blocks[depth - 1]
            maps = [block(m) for m in maps]
            flow = F.interpolate(
                motion.deformation.movedim(-1, 1), maps[0].shape[2:], mode="bilinear", align_corners=True
            )
            warped = F.grid_sample(maps[0], flow.movedim(1, -1), align_corners=True)
            total += (maps[1] * shown - warped * shown).abs().mean().item()
    assert losses.terms["warp_loss"].item() == pytest.approx(10 * total, rel=1e-4)


def test_the_schedule_of_splines() -> None:
    schedule = SplineSchedule()  # the published one
    found = [schedule.dropout(epoch) for epoch in (0, 5, 10, 34, 35)]
    assert found == [pytest.approx(0.1), pytest.approx(0.25), pytest.approx(0.3), pytest.approx(0.3), None]
    objective = spline(schedule=schedule)
    assert objective.resting == {"bg_predictor"}
    assert "bg" not in losses_of(objective.train()).terms
    objective.begin_epoch(10)
    assert objective.resting == frozenset()
    assert "bg" in losses_of(objective).terms
    objective.begin_epoch(35)
    assert objective.kept(torch.arange(2)) is None


def test_dropout_is_the_samples_own_and_spares_the_background() -> None:
    objective = spline(schedule=SplineSchedule(dropout_startp=0.3))
    many = objective.kept(torch.arange(4000))
    assert many is not None
    assert many[:, 0].all()
    assert many[:, 1:].float().mean().item() == pytest.approx(0.7, abs=0.02)
    alone = objective.kept(torch.tensor([17]))
    assert alone is not None
    assert torch.equal(alone[0], many[17])


def test_shares_of_those_left_out_go_to_the_others() -> None:
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    kept = torch.tensor([[True, False, True, True], [True, True, True, True]])
    found, every = contributions(logits, kept), contributions(logits, None)
    assert (found[0, 1] == 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones(2, 3, 3), rtol=0, atol=2e-6)
    torch.testing.assert_close(found[1], every[1], rtol=0, atol=2e-6)
    torch.testing.assert_close(found[0, 2] / found[0, 3], every[0, 2] / every[0, 3])


@OBJECTIVES
def test_networks_of_fewer_bits_lose_about_as_much(name: str) -> None:
    wanted, objective = losses_of(made(name)).terms, made(name)
    to_mixed_precision(objective, torch.bfloat16, keep_weights=True, heavy=1)
    losses = losses_of(objective)
    assert {value.dtype for value in losses.terms.values()} == {torch.float32}
    for term, value in losses.terms.items():
        assert value.item() == pytest.approx(wanted[term].item(), rel=0.05), term
    losses.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
