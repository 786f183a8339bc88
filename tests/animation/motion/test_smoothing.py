"""Smoothing over time: cuts into batches change nothing, nothing comes late, and a still head keeps still."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from first_order_motion.animation.motion.controls import Controls
from first_order_motion.animation.motion.smoothing import (
    MOST_REACH,
    CausalSmoother,
    join,
    reach_of,
    smoothed,
    without_first,
)
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import AnimatorSpec, Motion
from first_order_motion.training.drawn import Identity, Pose, draw
from first_order_motion.training.drawn.pose import as_dict
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from support.architectures import CPU, driven, one_thread, source_picture, tiny
from support.drivers import FRAMES, Streamed, Watched, clip_of, named
from torch import Tensor

SPEC = AnimatorSpec("Any", 64, 1, ("relative",), pose_extras=("vector",))
RATE = 25.0


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def walk(count: int, seed: int = 0) -> Motion:
    """Poses with maps, an extra that describes the pose, and one that does not."""
    generator = torch.Generator().manual_seed(seed)
    points, maps, vector = (torch.rand(count, *shape, generator=generator) for shape in ((6, 2), (6, 2, 2), (5,)))
    return Motion(points, maps + torch.eye(2), {"vector": vector, "number": torch.arange(count)})


def cut(motion: Motion, sizes: list[int]) -> Iterator[Motion]:
    start = 0
    for place in range(len(motion)):
        if start >= len(motion):
            return
        size = sizes[place % len(sizes)]
        yield motion[start : start + size]
        start += size


def all_smoothed(motion: Motion, seconds: float, sizes: list[int], spec: AnimatorSpec = SPEC) -> Motion:
    return join([*smoothed(cut(motion, sizes), seconds, RATE, spec)])


# --- the Gaussian ---


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.floats(0.0, 0.6), st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_cuts_into_batches_change_nothing(count: int, seconds: float, sizes: list[int]) -> None:
    motion = walk(count)
    whole, parts = all_smoothed(motion, seconds, [count]), all_smoothed(motion, seconds, sizes)
    for name, value in named(whole).items():
        assert torch.equal(named(parts)[name], value), name
    assert whole.extra["number"].tolist() == list(range(count))


@pytest.mark.parametrize("seconds", [0.04, 0.2, 1.0])
def test_it_is_the_gaussian_with_its_ends_held(seconds: float) -> None:
    motion = walk(50)
    found = all_smoothed(motion, seconds, [8])
    for name in ("points", "jacobians", "vector"):
        wanted = gaussian_filter1d(
            named(motion)[name].double().numpy(), seconds * RATE, axis=0, mode="nearest",
            radius=reach_of(seconds, RATE),
        )  # fmt: skip
        np.testing.assert_allclose(named(found)[name].numpy(), wanted, atol=2e-6)


def test_a_clip_shorter_than_the_reach_costs_no_more_than_its_frames() -> None:
    motion = walk(5)
    known = join([*smoothed(cut(motion, [2]), 0.3, RATE, SPEC, frames=5)])
    torch.testing.assert_close(known.points, all_smoothed(motion, 0.3, [2]).points, rtol=0, atol=1e-6)
    assert len([*smoothed(cut(motion, [2]), 5.0, 1e300, SPEC, frames=5)]) > 0
    assert reach_of(5.0, 1e300) == MOST_REACH


def test_batches_grow_no_larger_and_only_so_much_is_held() -> None:
    read: list[int] = []

    def stream() -> Iterator[Motion]:
        for part in cut(walk(400), [7]):
            read.append(len(part))
            yield part

    given_out, reach = 0, reach_of(0.2, RATE)
    for part in smoothed(stream(), 0.2, RATE, SPEC):
        assert len(part) <= 7
        given_out += len(part)
        assert sum(read) - given_out <= reach + 2 * 7
    assert given_out == 400


def test_nothing_is_held_without_smoothing() -> None:
    stream = cut(walk(9), [4])
    same = smoothed(stream, 0.0, RATE, SPEC)
    assert len(next(same)) == 4
    assert next(stream).extra["number"][0] == 4


def test_a_map_and_its_negative_are_smoothed_as_one() -> None:
    spec = AnimatorSpec("Any", 64, 1, ("relative",), unsigned_frames=True)
    maps = walk(40).jacobians
    assert maps is not None
    signs = torch.where(torch.rand(40, 6, 1, 1, generator=torch.Generator().manual_seed(3)) < 0.5, -1.0, 1.0)
    points = walk(40).points
    plain = all_smoothed(Motion(points, maps), 0.1, [40]).jacobians
    for sizes in ([40], [1], [3, 8]):
        found = all_smoothed(Motion(points, signs * maps), 0.1, sizes, spec).jacobians
        assert found is not None and plain is not None
        torch.testing.assert_close(found * signs, plain)


def test_without_first_leaves_out_across_batches() -> None:
    left = join([*without_first(cut(walk(20), [3]), 7)])
    assert left.extra["number"].tolist() == list(range(7, 20))


# --- in the driver ---


def options(seconds: float, batch: int = 4, retargeting: Retargeting | None = None) -> AnimateOptions:
    return AnimateOptions(retargeting or Retargeting(), batch=batch, controls=Controls(smoothing=seconds), rate=RATE)


@pytest.mark.parametrize("start", [0, 3, FRAMES - 1])
def test_a_later_start_gives_the_same_frames(start: int) -> None:
    animator, wished = tiny("fomm"), options(0.04, batch=3)
    whole = driven(animator, source_picture(), clip_of(), wished)
    rest = torch.cat([*animate(animator, source_picture(), Streamed(clip_of()), CPU, wished, start=start)])
    torch.testing.assert_close(rest, whole[start:], rtol=0, atol=1e-5)


def test_pictures_among_the_extras_stay_with_their_frame() -> None:
    watched = Watched(tiny("mrfa_like_celebvhq"))
    driven(watched, source_picture(), clip_of(), options(0.1, 4, Retargeting("standard", background=True)))
    plain = Watched(tiny("mrfa_like_celebvhq"))
    driven(plain, source_picture(), clip_of(), options(0.0, 4, Retargeting("standard", background=True)))
    assert torch.equal(watched.poses["frame"], plain.poses["frame"])
    torch.testing.assert_close(watched.poses["background"], plain.poses["background"])
    assert (watched.poses["points"] - plain.poses["points"]).abs().max() > 1e-3


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"^rate is .*frames per second"):
        driven(tiny("fomm"), source_picture(), clip_of(), AnimateOptions(rate=rate))


# --- on drawn faces, with the bundled model ---

NOISE = 0.3  # standard deviation, of values in [0, 1]
SECONDS = 3


@cache
def bundled() -> Predictor:
    return Predictor.load("drawn-faces", device="cpu")


@cache
def faces() -> tuple[Identity, Pose]:
    """Two identities, and a calm pose."""
    generator = torch.Generator().manual_seed(2**31 + 5)
    fields = as_dict(Pose.sample(1, generator))
    calm = {name: torch.zeros(1) for name in fields} | {name: torch.ones(1) for name in ("scale", "left", "right")}
    return Identity.sample(2, generator), Pose(**calm)


def noisy(frames: Tensor, deviation: float = NOISE) -> Tensor:
    noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(1))
    return (frames + deviation * noise).clamp(0, 1).movedim(1, -1)


def flicker(frames: Tensor) -> float:
    """Mean change from frame to frame, of 255."""
    return float((frames[1:] - frames[:-1]).abs().mean() * 255)


def test_a_still_head_under_noise_flickers_four_times_less() -> None:
    identity, pose = faces()
    count = 25
    clip = noisy(draw(identity[:1].repeat(count), pose.repeat(count), 128))
    source = draw(identity[1:], pose, 128).movedim(1, -1)
    before, after = (flicker(bundled().animate_tensors(source, clip, options(seconds, 8))) for seconds in (0.0, 0.08))
    print(f"flicker {before:.3f} -> {after:.3f} of 255")
    assert before > 1
    assert after < before / 4


def nod(frames: int) -> Tensor:
    """How far the head looks down in each frame: a nod of a third of a second in the middle."""
    times = torch.arange(frames) / RATE
    return 0.3 * torch.exp(-0.5 * ((times - frames / RATE / 2) / 0.15) ** 2)


@cache
def nodding(deviation: float) -> Motion:
    identity, pose = faces()
    count = int(SECONDS * RATE)
    bent = nod(count)
    poses = Pose(**{**as_dict(pose.repeat(count)), "pitch": bent, "y": 0.25 * bent})
    frames = noisy(draw(identity[:1].repeat(count), poses, 128), deviation).movedim(-1, 1)
    with torch.inference_mode():
        return join([bundled().animator.motion(part) for part in torch.split(frames, 25)])


def peak(motion: Motion) -> float:
    """The time of the lowest head, in frames, between frames by a parabola."""
    height = motion.points[:, :, 1].mean(dim=1)
    top = int(height.argmax())
    before, there, after = height[top - 1 : top + 2].tolist()
    return top + 0.5 * (before - after) / (before - 2 * there + after)


def depth(motion: Motion) -> float:
    """How far the points go down at most, from where they begin."""
    height = motion.points[:, :, 1].mean(dim=1)
    return float(height.max() - height[:10].mean())


@pytest.mark.parametrize("deviation", [0.0, 0.1])
def test_a_nod_does_not_come_late(deviation: float) -> None:
    raw = nodding(deviation)
    for seconds in (0.04, 0.08, 0.2):
        found = all_smoothed(raw, seconds, [8], bundled().animator.spec)
        shift, share = peak(found) - SECONDS * RATE / 2, depth(found) / depth(raw)
        print(f"{seconds} s: peak {shift:+.3f} frames from where it was drawn, {share:.0%} as deep")
        assert abs(shift) < 0.5


# --- in one pass ---


def test_the_causal_form_steadies_a_still_head_and_follows_a_nod() -> None:
    raw, smoother = nodding(0.1), CausalSmoother(0.2, RATE, bundled().animator.spec)
    found = smoother(raw)
    still = slice(0, 20)
    before, after = (motion.points[still].diff(dim=0).abs().mean() for motion in (raw, found))
    print(f"jitter {float(before):.5f} -> {float(after):.5f}, peak shifted by {peak(found) - peak(raw):+.2f} frames")
    assert after < before / 4
    assert 0 <= peak(found) - peak(raw) < 1.5


def test_the_causal_form_takes_poses_one_by_one_or_many() -> None:
    motion, spec = walk(12), SPEC
    one, many = CausalSmoother(0.1, RATE, spec), CausalSmoother(0.1, RATE, spec)
    single = join([one(part) for part in cut(motion, [1])])
    for name, value in named(many(motion)).items():
        torch.testing.assert_close(named(single)[name], value)
    one.reset()
    torch.testing.assert_close(one(motion).points, single.points)
    assert CausalSmoother(0.0, RATE, spec)(motion) is motion


def test_the_causal_form_knows_maps_without_a_sign() -> None:
    spec = AnimatorSpec("Any", 64, 1, ("relative",), unsigned_frames=True)
    maps = walk(20).jacobians
    assert maps is not None
    signs = torch.where(torch.rand(20, 6, 1, 1, generator=torch.Generator().manual_seed(3)) < 0.5, -1.0, 1.0)
    points = walk(20).points
    plain = CausalSmoother(0.1, RATE, SPEC)(Motion(points, maps)).jacobians
    found = CausalSmoother(0.1, RATE, spec)(Motion(points, signs * maps)).jacobians
    assert found is not None and plain is not None
    torch.testing.assert_close(found * signs, plain)


def test_poses_that_come_unevenly_are_smoothed_by_the_time_between_them() -> None:
    raw = walk(4)
    even, told = CausalSmoother(0.1, RATE, SPEC), CausalSmoother(0.1, 7 * RATE, SPEC)
    for place in range(4):
        assert torch.equal(told(raw[place : place + 1], 1 / RATE).points, even(raw[place : place + 1]).points)
    left = [left_to_go(raw, elapsed) for elapsed in (0.02, 0.04, 0.4)]
    assert left == sorted(left, reverse=True)  # the longer the pause, the less of what came before it is left


def left_to_go(raw: Motion, elapsed: float) -> float:
    smoother = CausalSmoother(0.1, RATE, SPEC)
    smoother(raw[:1])
    return float((smoother(raw[1:2], elapsed).points - raw.points[1:2]).abs().sum())
