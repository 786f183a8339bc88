"""Controls over every architecture: the ends of the scale are exact, and what is between does what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from first_order_motion.animation.motion.controls import Controls, controlled
from first_order_motion.animation.motion.powers import power_2x2, rotation
from first_order_motion.animation.motion.rigid import Similarity
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import AnimatorSpec, Motion
from hypothesis import given, settings
from hypothesis import strategies as st
from support.architectures import (
    TINY,
    driven,
    one_thread,
    source_picture,
    tiny,
)
from support.drivers import FRAMES, Watched, clip_of, named
from support.optimized import published_form
from torch import Tensor

SPEC = AnimatorSpec("Any", 64, 1, ("relative",))
MOVED = [name for name in TINY if not tiny(name).spec.keeps_pose]
every_moved = pytest.mark.parametrize("name", MOVED)
every_mode = [(name, mode) for name in MOVED for mode in tiny(name).spec.modes]
EVERYTHING = Controls(0.5, 1.5, 0.7, 0.1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def poses(name: str, controls: Controls, mode: str | None = None, batch: int = 4) -> Watched:
    watched = Watched(tiny(name))
    driven(watched, source_picture(), clip_of(), AnimateOptions(Retargeting(mode), batch=batch, controls=controls))
    return watched


# --- over every architecture ---


@pytest.mark.parametrize(("name", "mode"), every_mode)
def test_strength_0_is_the_sources_own_pose(name: str, mode: str) -> None:
    watched = poses(name, Controls(strength=0.0), mode)
    own, spec = watched.prepared[0].motion, watched.spec
    for part in ("points", "jacobians", *spec.pose_extras):
        value = named(own).get(part)
        if value is not None:
            assert torch.equal(watched.poses[part], value.expand_as(watched.poses[part])), part


@pytest.mark.parametrize(("name", "mode"), every_mode)
def test_strength_1_is_what_it_always_was(name: str, mode: str) -> None:
    calm, usual = poses(name, Controls(), mode), Watched(tiny(name))
    driven(usual, source_picture(), clip_of(), AnimateOptions(Retargeting(mode), batch=4))
    assert all(torch.equal(calm.poses[part], value) for part, value in usual.poses.items())


@every_moved
def test_strength_is_a_share_of_the_way(name: str) -> None:
    whole, half, twice = (poses(name, Controls(strength=share)) for share in (1.0, 0.5, 2.0))
    own = whole.prepared[0].motion
    way = whole.poses["points"] - own.points
    torch.testing.assert_close(half.poses["points"], own.points + way / 2)
    torch.testing.assert_close(twice.poses["points"], own.points + way * 2)
    if own.jacobians is not None and not whole.spec.unsigned_frames:
        inverse = torch.linalg.inv(own.jacobians.double())
        part, all_ = (run.poses["jacobians"].double() @ inverse for run in (half, whole))
        plain = (torch.linalg.det(all_) > 0) & (torch.linalg.det(part) > 0)
        assert plain.float().mean() > 0.8
        areas = torch.linalg.det(part)[plain] ** 2
        torch.testing.assert_close(areas, torch.linalg.det(all_)[plain], rtol=2e-3, atol=1e-4)


@every_moved
def test_pictures_move_less_with_less_strength(name: str) -> None:
    still, less, usual = (
        driven(published_form(name), source_picture(), clip_of(), AnimateOptions(controls=Controls(strength=share)))
        for share in (0.0, 0.5, 1.0)
    )
    assert (still - still[:1]).abs().max() < 1e-4
    changes = [float((frames - still).abs().mean()) for frames in (less, usual)]
    assert 0 < changes[0] < changes[1]


@every_moved
def test_batches_change_nothing(name: str) -> None:
    first, *others = (
        driven(published_form(name), source_picture(), clip_of(), AnimateOptions(batch=size, controls=EVERYTHING))
        for size in (1, 3, 8)
    )
    assert len(first) == FRAMES
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=2e-5)


@pytest.mark.parametrize("controls", [Controls(0.5), Controls(head=0.0), Controls(smoothing=0.1), EVERYTHING])
@pytest.mark.parametrize("name", [name for name in TINY if name not in MOVED])
def test_part_swap_refuses_controls_by_name(name: str, controls: Controls) -> None:
    with pytest.raises(InputError, match=f"^{controls.given[0]} was given.*Part Swap keeps the pose"):
        driven(tiny(name), source_picture(), clip_of(), AnimateOptions(controls=controls))


def test_an_expression_between_the_sources_and_the_driving_one() -> None:
    own, none, half, most = (
        poses("fsrt", Controls(strength=a, expression=b)) for a, b in ((0, 1), (1, 0), (1, 0.5), (1, 1))
    )
    for part in (own, none):
        assert torch.equal(
            part.poses["expression"], part.prepared[0].motion.extra["expression"].expand_as(part.poses["expression"])
        )
    middle = (own.poses["expression"] + most.poses["expression"]) / 2
    torch.testing.assert_close(half.poses["expression"], middle)


# --- the arithmetic ---


@pytest.mark.parametrize("name", ["strength", "head", "expression", "smoothing"])
@pytest.mark.parametrize("value", [-0.1, 5.5, math.nan, math.inf])
def test_numbers_out_of_range_are_refused_in_words(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"^{name} is .*; 0 to [45].* was wanted"):
        Controls(**{name: value})


def face(seed: int, count: int = 10) -> Tensor:
    return torch.rand(1, count, 2, generator=torch.Generator().manual_seed(seed)) - 0.5


angles = st.floats(-3.0, 3.0)
sizes = st.floats(0.3, 3.0)
shifts = st.floats(-1.0, 1.0)
shares = st.floats(0.05, 3.0)


def similarity(angle: float, size: float, x: float, y: float) -> tuple[Tensor, Tensor]:
    return size * rotation(torch.tensor(angle)), torch.tensor([x, y])


@settings(deadline=None, max_examples=60)
@given(angles, sizes, shifts, shifts, st.integers(0, 99))
def test_a_similarity_is_found_and_undone(angle: float, size: float, x: float, y: float, seed: int) -> None:
    matrix, shift = similarity(angle, size, x, y)
    before = face(seed)
    after = before @ matrix.mT + shift
    found = Similarity.fit(before, after)
    torch.testing.assert_close(found.matrix[0, 0], matrix, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found(before), after, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.inverse()(after), before, rtol=1e-3, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(angles, sizes, st.integers(0, 99))
def test_no_other_similarity_is_nearer(angle: float, size: float, seed: int) -> None:
    before, after = face(seed).double(), face(seed + 1000).double()
    best = (Similarity.fit(before, after)(before) - after).square().sum()
    matrix = size * rotation(torch.tensor(angle)).double()
    other = (before - before.mean(1)) @ matrix.mT + after.mean(1)
    assert best <= (other - after).square().sum() + 1e-9


def test_points_in_one_place_only_move() -> None:
    for before, after in ((torch.zeros(1, 5, 2), face(1, 5)), (face(1, 5), torch.ones(1, 5, 2))):
        found = Similarity.fit(before, after)
        torch.testing.assert_close(found.matrix[0, 0], torch.eye(2))
        torch.testing.assert_close(found(before).mean(1), after.mean(1))


@settings(deadline=None, max_examples=80)
@given(angles, sizes, sizes, angles, shares)
def test_powers_of_maps(angle: float, wide: float, high: float, axis: float, share: float) -> None:
    turn, axes = rotation(torch.tensor(angle)).double(), rotation(torch.tensor(axis)).double()
    stretch = axes @ torch.diag(torch.tensor([wide, high]).double()) @ axes.mT
    wanted = rotation(torch.tensor(share * angle)).double() @ (
        axes @ torch.diag(torch.tensor([wide, high]).double() ** share) @ axes.mT
    )
    torch.testing.assert_close(power_2x2(turn @ stretch, share), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(power_2x2(turn @ stretch, 1.0), turn @ stretch, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_maps_that_no_power_has_go_in_a_line(share: float) -> None:
    maps = torch.tensor([[[1.0, 0.0], [0.0, -1.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(power_2x2(maps, share), torch.eye(2) + share * (maps - torch.eye(2)))
    same = power_2x2(torch.eye(2)[None] * 3, share)
    torch.testing.assert_close(same, torch.eye(2)[None] * 3**share)


@settings(deadline=None, max_examples=60)
@given(st.floats(-1.5, 1.5), st.floats(0.5, 2), shifts, shifts, st.floats(0.01, 2), st.floats(0, 2))
def test_head_and_expression_are_apart(
    angle: float, size: float, x: float, y: float, head: float, expression: float
) -> None:
    """A face that turns as a whole has no expression; one that changes without turning has no head's part."""
    matrix, shift = similarity(angle, size, x, y)
    own = Motion(face(3), torch.eye(2).expand(1, 10, 2, 2))
    turned = Motion(own.points @ matrix.mT + shift, matrix.expand(1, 10, 2, 2))
    found = controlled(Controls(1.0, head, expression), own, turned, SPEC)
    less = size**head * rotation(torch.tensor(head * angle))
    middle = own.points.mean(1, keepdim=True)
    moved = middle + head * (turned.points.mean(1, keepdim=True) - middle)
    torch.testing.assert_close(found.points, (own.points - middle) @ less.mT + moved, rtol=1e-3, atol=1e-3)
    assert found.jacobians is not None
    torch.testing.assert_close(found.jacobians, less.expand(1, 10, 2, 2), rtol=1e-3, atol=1e-3)


def test_what_is_no_turn_is_expression() -> None:
    own = Motion(face(3))
    grimace = 0.05 * (face(4) - face(4).mean(1))
    fit = Similarity.fit(own.points, own.points + grimace)
    grimace = own.points + grimace - fit(own.points)  # what a turn could not do
    moved = Motion(own.points + grimace)
    torch.testing.assert_close(controlled(Controls(head=0.0), own, moved, SPEC).points, moved.points)
    half = controlled(Controls(expression=0.5), own, moved, SPEC).points
    torch.testing.assert_close(half, own.points + grimace / 2)
    both = controlled(Controls(head=0.0, expression=0.0), own, moved, SPEC).points
    assert torch.equal(both, own.points)


def test_a_map_and_its_negative_are_one_where_the_model_says_so() -> None:
    spec = replace(SPEC, unsigned_frames=True)
    own = Motion(face(1), rotation(torch.full((1, 10), 0.3)))
    turned = rotation(torch.full((1, 10), 0.9))
    for sign in (1, -1):
        found = controlled(Controls(0.5), own, Motion(face(2), sign * turned), spec).jacobians
        torch.testing.assert_close(found, rotation(torch.full((1, 10), 0.6)))


def test_poses_that_are_no_numbers_stay_visible() -> None:
    own, broken = Motion(face(1)), Motion(face(1) * math.nan)
    for controls in (Controls(0.0), Controls(0.5), Controls(head=0.5)):
        assert controlled(controls, own, broken, SPEC).points.isnan().all()


def test_sources_that_move_keep_their_own_pose_at_strength_0() -> None:
    own = Motion(torch.cat([face(seed) for seed in range(3)]))
    found = controlled(Controls(0.0), own, Motion(own.points.flip(0)), SPEC)
    assert torch.equal(found.points, own.points)
