"""Flows and occlusion maps that models return beside their pictures, in one convention for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.core.layers.grid import flow_map, make_coordinate_grid, warp
from first_order_motion.core.types import FLOW, OCCLUSION, Animator, Mapped, Motion
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.drawn.config import DrawnConfig, DrawnGeneratorConfig
from first_order_motion.module_fomm.drawn.network import DrawnAnimator
from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_mrfa.correlation import sample
from support.architectures import (
    FOMM,
    FOMM_POINTS_ONLY,
    SIDE,
    TINY,
    blobs,
    every_architecture,
    one_thread,
    seeded,
    source_picture,
    tiny,
)
from torch import Tensor

POSES = 3
WITH_FLOW = [name for name in TINY if tiny(name).spec.has_flow]
with_flow = pytest.mark.parametrize("name", WITH_FLOW)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def source() -> Tensor:
    return source_picture().movedim(-1, 1)


def posed(animator: Animator) -> Motion:
    return animator.motion(blobs(POSES).movedim(-1, 1).contiguous())


def mapped(animator: Animator) -> Mapped:
    return animator.render_mapped(animator.prepare(source()), posed(animator))


def drawn(align_corners: bool) -> DrawnAnimator:
    settings = {name: getattr(FOMM, name) for name in ("num_kp", "kp_detector", "dense_motion")}
    generator = DrawnGeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2)
    model = DrawnAnimator(DrawnConfig(**settings, generator=generator, align_corners=align_corners), SIDE)
    return seeded(model)  # type: ignore[return-value]


def looked_up(picture: Tensor, flow: Tensor) -> Tensor:
    """Sample a picture where a flow map says, by the convention of `core.types`."""
    picture = picture.expand(len(flow), -1, -1, -1)
    return F.grid_sample(picture, flow.movedim(1, -1), "bilinear", "zeros", align_corners=True)


@every_architecture
def test_only_models_with_a_dense_motion_have_a_flow(name: str) -> None:
    assert tiny(name).spec.has_flow == (name not in ("fsrt", "toy"))
    assert (FLOW in mapped(tiny(name)).maps) == tiny(name).spec.has_flow


@with_flow
def test_maps_are_of_the_pictures_size(name: str) -> None:
    maps = mapped(tiny(name)).maps
    assert maps[FLOW].shape == (POSES, 2, SIDE, SIDE) and maps[FLOW].dtype == torch.float32
    assert maps[FLOW].isfinite().all()
    if name == "fomm_points_only":
        assert OCCLUSION not in maps
        return
    assert maps[OCCLUSION].shape == (POSES, 1, SIDE, SIDE) and maps[OCCLUSION].dtype == torch.float32
    assert maps[OCCLUSION].min() >= 0 and maps[OCCLUSION].max() <= 1


@every_architecture
def test_maps_change_no_picture(name: str) -> None:
    animator = tiny(name)
    plain = animator.render(animator.prepare(source()), posed(animator))
    assert torch.equal(mapped(animator).pictures, plain)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("kind", ["fomm", "drawn"])
def test_the_flow_warps_as_the_generator_does(kind: str, align_corners: bool) -> None:
    if kind == "fomm":
        model = seeded(FOMMAnimator(replace(FOMM, align_corners=align_corners), SIDE))
        assert isinstance(model, FOMMAnimator)
    else:
        model = drawn(align_corners)
    prepared, motion = model.prepare(source()), posed(model)
    dense = model.generator.dense_motion_network(prepared.features, prepared.motion, motion)
    wanted = model.generator.deformed(source(), dense)
    got = looked_up(source(), model.render_mapped(prepared, motion).maps[FLOW])
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4)
    assert (got - source()).abs().max() > 0.1


@pytest.mark.parametrize("name", ["spline", "articulate"])
def test_what_the_model_adds_to_the_moved_source_is_a_picture(name: str) -> None:
    """These end in m warp(source) + (1 - m) x for the occlusion map m; x has to come out between black and white."""
    result = mapped(tiny(name))
    share = result.maps[OCCLUSION]
    painted = (result.pictures - looked_up(source(), result.maps[FLOW]) * share) / (1 - share)
    assert painted.min() > -1e-3 and painted.max() < 1 + 1e-3


def test_mrfas_flow_is_that_of_its_last_refinement() -> None:
    animator = tiny("mrfa")
    assert isinstance(animator, MRFAAnimator)
    prepared, motion, model = animator.prepare(source()), posed(animator), animator.model
    features = prepared.features
    prior = model.dense_motion(features["small"], features["heatmaps"], prepared.motion, motion)
    *_, last = model.decoder.steps(features, motion.points, prior)
    maps = animator.render_mapped(prepared, motion).maps
    torch.testing.assert_close(looked_up(source(), maps[FLOW]), sample(source(), last.flow), rtol=0, atol=1e-4)
    torch.testing.assert_close(maps[OCCLUSION], last.occlusion)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("resize_aligned", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (32, 32), (24, 40)])
def test_flow_maps_are_the_places_that_warping_samples(
    align_corners: bool, resize_aligned: bool, size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(1)
    flow = make_coordinate_grid(16, 16, like=torch.zeros(1)) + 0.2 * torch.rand(2, 16, 16, 2, generator=generator)
    picture = torch.rand(1, 3, *size, generator=generator)
    wanted = warp(picture, flow, align_corners, resize_aligned)
    got = looked_up(picture, flow_map(flow, size, align_corners, resize_aligned))
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_a_model_without_an_occlusion_map_has_none() -> None:
    assert OCCLUSION not in mapped(seeded(FOMMAnimator(FOMM_POINTS_ONLY, SIDE))).maps
