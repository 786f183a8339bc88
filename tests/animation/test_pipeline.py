"""The one driver, over every architecture: the same frames whatever the chunks, once-only work, clean exits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
import torch
from first_order_motion.animation.frames import FrameFormat
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.retarget import Retargeting, movement_scale
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Motion
from support.architectures import (
    CPU,
    SIDE,
    TINY,
    as_bytes,
    driven,
    every_architecture,
    one_thread,
    relative_architectures,
    source_picture,
    tiny,
)
from support.drivers import FRAMES, SAME, Streamed, Watched, clip_of, named
from support.optimized import published_form
from torch import Tensor

SETTINGS = {
    "relative": Retargeting(),
    "relative_without_scale": Retargeting(adapt_scale=False),
    "relative_without_jacobian": Retargeting(relative_jacobian=False),
    "standard": Retargeting(mode="standard"),
}
every_setting = pytest.mark.parametrize("retargeting", SETTINGS.values(), ids=SETTINGS)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def assert_close(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], atol: float) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=atol)


# --- the same frames, whatever the chunks ---


@every_architecture
@every_setting
def test_batches_and_streaming_change_nothing(name: str, retargeting: Retargeting) -> None:
    animator, source, clip = published_form(name), source_picture(), clip_of()
    wanted = driven(animator, source, clip, AnimateOptions(retargeting, batch=1))
    assert wanted.shape == (FRAMES, 3, SIDE, SIDE)
    assert (wanted[1:] - wanted[:-1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3  # the pose does show
    for batch in (2, 3, 8):
        got = driven(animator, source, clip, AnimateOptions(retargeting, batch=batch))
        torch.testing.assert_close(got, wanted, **SAME)
    streamed = driven(animator, source, Streamed(clip), AnimateOptions(retargeting, batch=4))
    torch.testing.assert_close(streamed, wanted, **SAME)


@pytest.mark.parametrize("name", [name for name in TINY if "avd" in tiny(name).spec.modes])
def test_avd_needs_neither_batches_nor_an_anchor(name: str) -> None:
    avd = AnimateOptions(Retargeting("avd"), batch=1)
    wanted = driven(published_form(name), source_picture(), clip_of(5), avd)
    assert (wanted[1:] - wanted[:-1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    for options in (replace(avd, batch=4), replace(avd, batch=3, anchor=2)):
        torch.testing.assert_close(driven(published_form(name), source_picture(), clip_of(5), options), wanted, **SAME)


@pytest.mark.parametrize("name", [name for name in TINY if "avd" not in tiny(name).spec.modes])
def test_avd_is_refused_without_its_network(name: str) -> None:
    with pytest.raises(InputError, match=r"'avd'; .* offers (relative|standard).* avd_network"):
        driven(tiny(name), source_picture(), clip_of(1), AnimateOptions(Retargeting("avd")))


@every_architecture
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9])
def test_clips_of_any_length_give_a_frame_per_frame(name: str, count: int) -> None:
    wanted = driven(published_form(name), source_picture(), clip_of(9), AnimateOptions(batch=1))
    got = driven(published_form(name), source_picture(), clip_of(9)[:count], AnimateOptions(batch=8))
    torch.testing.assert_close(got, wanted[:count], **SAME)


@every_architecture
def test_bytes_and_floats_are_the_same_pictures(name: str) -> None:
    source, clip = as_bytes(source_picture()), as_bytes(clip_of(3))
    wanted = driven(tiny(name), source, clip, AnimateOptions())
    torch.testing.assert_close(driven(tiny(name), source / 255, clip / 255, AnimateOptions()), wanted, **SAME)


@every_architecture
def test_frames_come_in_order(name: str) -> None:
    animator, source, clip = published_form(name), source_picture(), clip_of()
    standard = AnimateOptions(SETTINGS["standard"], batch=4)
    alone = [driven(animator, source, clip[i : i + 1], standard) for i in range(FRAMES)]
    torch.testing.assert_close(driven(animator, source, clip, standard), torch.cat(alone), **SAME)
    forward = driven(animator, source, clip, AnimateOptions(anchor=0, batch=4))
    backward = driven(animator, source, clip.flip(0), AnimateOptions(anchor=FRAMES - 1, batch=4))
    torch.testing.assert_close(backward.flip(0), forward, **SAME)


# --- once per clip ---


@every_architecture
@pytest.mark.parametrize("count", [1, FRAMES])
def test_the_source_is_encoded_once_per_clip(name: str, count: int) -> None:
    animator, counts = tiny(name), {"source": 0, "poses": 0}

    def counter(key: str) -> Callable[..., None]:
        def hook(_module: object, inputs: tuple[Tensor], _output: object) -> None:
            counts[key] += len(inputs[0])

        return hook

    modules = {"source": TINY[name].source_only, "poses": TINY[name].motion}
    handles = [animator.get_submodule(path).register_forward_hook(counter(key)) for key, path in modules.items()]
    try:
        driven(animator, source_picture(), clip_of(count), AnimateOptions(batch=3))
    finally:
        for handle in handles:
            handle.remove()
    anchors = int("relative" in animator.spec.modes)
    assert counts == {"source": 1 + count * TINY[name].frames_too, "poses": 1 + anchors + count}


@every_architecture
def test_frames_are_read_only_when_they_are_due(name: str) -> None:
    clip = Streamed(clip_of())
    done = 0
    for frames in animate(tiny(name), source_picture(), clip, CPU, AnimateOptions(batch=4)):
        done += len(frames)
        assert clip.given == min(-(-done // 4) * 4, FRAMES)
    assert done == FRAMES


# --- the anchor ---


@relative_architectures
@pytest.mark.parametrize("anchor", [0, 5, FRAMES - 1])
@pytest.mark.parametrize("adapt_scale", [True, False])
def test_motion_is_measured_from_the_anchor(name: str, anchor: int, adapt_scale: bool) -> None:
    """p = p_s + c (p_t - p_0) and J = J_t J_0^-1 J_s, written out once more in double precision."""
    watched = Watched(tiny(name))
    driven(watched, source_picture(), clip_of(), AnimateOptions(Retargeting(adapt_scale=adapt_scale), anchor, batch=3))
    with torch.inference_mode():
        driving = watched.animator.motion(FrameFormat((SIDE, SIDE), CPU).convert(clip_of(), "driving"))
    source, first = watched.prepared[0].motion, slice(anchor, anchor + 1)
    reference = Motion(driving.points[first], None if driving.jacobians is None else driving.jacobians[first])
    scale = movement_scale(source, reference) if adapt_scale else 1.0
    assert (scale == 1.0) != adapt_scale
    wanted = {"points": (source.points + scale * (driving.points.double() - reference.points)).float()}
    if driving.jacobians is not None:
        inverse = torch.linalg.inv(reference.jacobians.double())
        wanted["jacobians"] = (driving.jacobians.double() @ inverse @ source.jacobians.double()).float()
    assert_close(watched.poses, {**wanted, **driving.extra}, atol=1e-4)


@relative_architectures
@pytest.mark.parametrize("anchor", [0, 5, FRAMES - 1])
def test_one_pass_equals_the_published_two_halves(name: str, anchor: int) -> None:
    animator, source, clip = published_form(name), source_picture(), clip_of()
    forward = driven(animator, source, clip[anchor:], AnimateOptions())
    backward = driven(animator, source, clip[: anchor + 1].flip(0), AnimateOptions())
    wanted = torch.cat([backward.flip(0), forward[1:]])
    torch.testing.assert_close(driven(animator, source, clip, AnimateOptions(anchor=anchor)), wanted, **SAME)


@relative_architectures
@pytest.mark.parametrize("anchor", [0, 5, FRAMES - 1])
def test_the_anchor_frame_shows_the_sources_own_pose(name: str, anchor: int) -> None:
    watched = Watched(tiny(name))
    frames = driven(watched, source_picture(), clip_of(), AnimateOptions(anchor=anchor))
    poses = {key: value[anchor : anchor + 1] for key, value in watched.poses.items()}
    prepared = watched.prepared[0]
    extra = {key: poses[key] for key in prepared.motion.extra}  # the driving frame's own
    pose = replace(prepared.motion, extra=extra)
    assert_close(poses, named(pose), atol=1e-4)
    with torch.inference_mode():
        still = watched.animator.render(prepared, pose)
    torch.testing.assert_close(frames[anchor : anchor + 1], still, rtol=0, atol=1e-4)


@every_architecture
def test_flags_do_nothing_in_standard_mode(name: str) -> None:
    runs = [Retargeting("standard", jacobian, scale) for jacobian, scale in ((True, True), (False, False))]
    first, second = (driven(tiny(name), source_picture(), clip_of(3), AnimateOptions(run, anchor=2)) for run in runs)
    assert torch.equal(first, second)


def test_a_size_that_the_weights_were_not_made_for_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    animator, source, clip = published_form("fomm"), source_picture(), clip_of(2)
    driven(animator, source, clip, AnimateOptions(size=SIDE))
    driven(animator, source, clip, AnimateOptions())
    assert caplog.text == ""
    driven(animator, source, clip, AnimateOptions(size=2 * SIDE))
    assert f"trained at {SIDE} pixels and works at {2 * SIDE}" in caplog.text
