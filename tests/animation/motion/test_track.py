"""Motion of a clip, read once: it animates as the clip does, over every architecture, and is refused elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.faces.square import Square
from first_order_motion.animation.faces.squares import FaceSquares
from first_order_motion.animation.framing import Driver, FaceOptions, FacePlan
from first_order_motion.animation.full_size import animate_faces
from first_order_motion.animation.motion.controls import Controls
from first_order_motion.animation.motion.identity import ModelIdentity
from first_order_motion.animation.motion.track import MotionTrack
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor, as_clip
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Clip, Motion
from support.architectures import CPU, SIDE, TINY, one_of_each_kind, one_thread, source_picture, tiny
from support.drivers import FRAMES, clip_of, named
from support.optimized import published_form
from support.paths import ROOT
from torch import Tensor

MOVED = [name for name in TINY if not tiny(name).spec.keeps_pose]
every_moved = pytest.mark.parametrize("name", MOVED)
BATCHED = AnimateOptions(batch=4)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def predictor(name: str) -> Predictor:
    return Predictor(published_form(name), CPU)


def frames(model: Predictor, driving: Clip | Tensor, options: AnimateOptions, best: str | None = None) -> Tensor:
    return torch.cat([*model.animate(source_picture(), driving, options, best_frame=best)])


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name in MOVED for mode in tiny(name).spec.modes])
def test_motion_animates_as_its_clip_does_bit_for_bit(name: str, mode: str) -> None:
    model, options = predictor(name), AnimateOptions(Retargeting(mode), batch=4)
    track = model.read_motion(clip_of(), options)
    assert len(track) == FRAMES and track.motion.points.device.type == "cpu"
    assert torch.equal(frames(model, track, options), frames(model, clip_of(), options))


@every_moved
def test_another_batch_is_as_near_as_that_of_a_clip(name: str) -> None:
    model = predictor(name)
    track = model.read_motion(clip_of(), AnimateOptions(batch=8))
    wanted = frames(model, clip_of(), AnimateOptions(batch=3))
    torch.testing.assert_close(frames(model, track, AnimateOptions(batch=3)), wanted, rtol=0, atol=2e-5)


@one_of_each_kind
@pytest.mark.parametrize("options", [
    AnimateOptions(Retargeting("relative"), anchor=5, batch=4),
    AnimateOptions(Retargeting("relative"), anchor=source_picture(), batch=4),
    AnimateOptions(Retargeting("relative"), batch=4, controls=Controls(0.5, 2.0, 0.3, 0.08)),
    AnimateOptions(Retargeting("relative", False, False), batch=4),
])  # fmt: skip
def test_options_mean_the_same(name: str, options: AnimateOptions) -> None:
    model = predictor(name)
    assert torch.equal(frames(model, model.read_motion(clip_of(), BATCHED), options), frames(model, clip_of(), options))


@one_of_each_kind
def test_the_best_frame_is_found_by_its_keypoints(name: str) -> None:
    model, options = predictor(name), AnimateOptions(Retargeting("relative"), batch=4)
    track = model.read_motion(clip_of(), options)
    by_clip = frames(model, clip_of(), options, "model keypoints")
    for method in ("model keypoints", "auto"):
        assert torch.equal(frames(model, track, options, method), by_clip)
    with pytest.raises(InputError, match=r"^best_frame is 'face landmarks', which needs pictures"):
        frames(model, track, options, "face landmarks")


def test_several_faces_of_a_picture_take_it_on() -> None:
    model = predictor("fomm")
    picture = torch.rand(1, 2 * SIDE, 3 * SIDE, 3, generator=torch.Generator().manual_seed(0))
    squares = FaceSquares.still([Square(SIDE, SIDE, 40), Square(2 * SIDE, SIDE, 40)], (2 * SIDE, 3 * SIDE))
    track = model.read_motion(clip_of(), BATCHED)
    results = [
        torch.cat([*animate_faces(model, picture, FacePlan(squares, [Driver(clip, 25.0)], options), BATCHED)])
        for options in (FaceOptions(), FaceOptions(offsets=(0.0, 0.1)))
        for clip in (track, as_clip(clip_of()))
    ]
    assert torch.equal(results[0], results[1]) and torch.equal(results[2], results[3])
    assert not torch.equal(results[0], results[2])


def test_a_clip_as_source_is_animated_by_it() -> None:
    model = predictor("fomm")
    source = as_clip(clip_of().flip(0)[:7])
    results = [torch.cat([*model.animate(source, clip, BATCHED)]) for clip in (clip_of(), model.read_motion(clip_of()))]
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=2e-5)


def test_only_the_poses_are_kept() -> None:
    model = predictor("mrfa_like_celebvhq")
    track = model.read_motion(clip_of(), BATCHED)
    assert set(named(track.motion)) == {"points", "jacobians"}
    assert set(named(predictor("fsrt").read_motion(clip_of()).motion)) == {"points", "expression"}
    background = AnimateOptions(Retargeting("standard", background=True))
    with pytest.raises(InputError, match=r"^background was given; MRFA reads the background off the driving pictures"):
        frames(model, track, background)


def test_part_swap_has_no_use_for_it() -> None:
    [name] = [name for name in TINY if name == "partswap"]
    with pytest.raises(InputError, match=r"^driving cannot be read; Part Swap draws into its driving frames"):
        predictor(name).read_motion(clip_of())
    foreign = predictor("fomm").read_motion(clip_of())
    own = MotionTrack(foreign.motion, 25, predictor(name).identity, SIDE)
    with pytest.raises(InputError, match=r"^driving is .*movement without pictures; Part Swap draws"):
        frames(predictor(name), own, AnimateOptions())


def test_motion_of_other_weights_is_refused_by_name() -> None:
    track = predictor("fomm").read_motion(clip_of())
    for name in ("fsrt", "fomm_points_only" if "fomm_points_only" in TINY else "spline"):
        with pytest.raises(InputError) as caught:
            frames(predictor(name), track, AnimateOptions())
        assert "movement that FOMM (fomm, SHA-256" in str(caught.value)
        assert f"; {predictor(name).animator.spec.name} (" in str(caught.value) and "is loaded" in str(caught.value)


def test_poses_of_another_shape_are_refused_whatever_they_claim() -> None:
    model = predictor("fomm")
    motion = model.read_motion(clip_of()).motion
    for other in (Motion(motion.points), Motion(motion.points[:, :2], motion.jacobians)):
        with pytest.raises(InputError, match=r"poses of another shape than FOMM's"):
            frames(model, MotionTrack(other, 25, model.identity, SIDE), AnimateOptions())


def test_pictures_are_asked_for_in_vain() -> None:
    track = predictor("fomm").read_motion(clip_of())
    for ask in (lambda: track.frame(0), lambda: track.chunks(1)):
        with pytest.raises(InputError, match=r"^driving is motion, movement without pictures"):
            ask()
    assert track.sound is None and track.fps == 25 and len(track.times) == FRAMES


def test_an_empty_clip_and_an_anchor_outside_are_refused() -> None:
    model = predictor("fomm")
    with pytest.raises(InputError, match=r"^driving has 0 frames"):
        model.read_motion(clip_of()[:0])
    with pytest.raises(InputError, match=r"^anchor is 11; the clip has frames 0 to 10"):
        frames(model, model.read_motion(clip_of()), AnimateOptions(anchor=11))


def test_frames_in_another_order() -> None:
    track = predictor("fomm").read_motion(clip_of(), AnimateOptions(rate=29.97))
    turned = track.in_order([3, 3, 0], Fraction(50))
    assert torch.equal(turned.motion.points, track.motion.points[[3, 3, 0]])
    assert (track.fps, turned.fps, turned.model) == (Fraction(30000, 1001), 50, track.model)


def test_a_model_is_told_by_its_files(tmp_path: Path) -> None:
    drawn = Predictor.load("drawn-faces", device="cpu").identity
    shutil.copy(ROOT / "checkpoints" / "drawn-faces.safetensors", tmp_path / "copy.safetensors")
    assert Predictor.load(tmp_path / "copy.safetensors", device="cpu").identity == drawn
    assert len(drawn.weights) == 64 and drawn.name.endswith(".safetensors")
    assert drawn == ModelIdentity(drawn.architecture, drawn.weights, "called otherwise")
    assert predictor("fomm").identity != predictor("spline").identity
