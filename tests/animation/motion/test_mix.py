"""Mixtures: the head follows the one clip, the face the other, and where both are one nothing changes."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from first_order_motion.animation.motion.identity import ModelIdentity
from first_order_motion.animation.motion.mix import mix, resampled
from first_order_motion.animation.motion.powers import rotation
from first_order_motion.animation.motion.rigid import Similarity
from first_order_motion.animation.motion.track import MotionTrack
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Motion
from hypothesis import given, settings
from hypothesis import strategies as st
from support.architectures import CPU, TINY, blobs, one_thread, source_picture, tiny
from support.drivers import FRAMES, clip_of, named
from support.optimized import published_form
from torch import Tensor

MODEL = ModelIdentity("fomm", 64 * "a", "face.pth")
MOVED = [name for name in TINY if not tiny(name).spec.keeps_pose]


def track(motion: Motion, rate: float = 25, model: ModelIdentity = MODEL) -> MotionTrack:
    return MotionTrack(motion, rate, model, 64, "some.safetensors")


def face(seed: int, count: int = 8) -> Tensor:
    return torch.rand(1, count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5


def turning(points: Tensor, angles: Tensor) -> Motion:
    """A face that turns about its middle, with its maps."""
    turns = rotation(angles)[:, None]
    middle = points.mean(1, keepdim=True)
    return Motion(
        ((points - middle)[..., None, :] @ turns.mT).squeeze(-2) + middle, turns.expand(-1, points.shape[1], 2, 2)
    )


def grimaces(points: Tensor, count: int) -> Motion:
    """A face that changes in ways that no turn could, with maps that stretch."""
    noise = points + 0.1 * face(77)
    change = noise - Similarity.fit(points, noise)(points)
    shares = torch.linspace(0, 1, count, dtype=torch.float64)[:, None, None]
    stretch = torch.eye(2, dtype=torch.float64) * (1 + shares[..., None])
    return Motion(points + shares * change, stretch.expand(count, points.shape[1], 2, 2))


ANGLES = torch.linspace(0, 0.8, 5, dtype=torch.float64)


def test_the_head_of_one_and_the_face_of_the_other() -> None:
    points = face(1)
    turned, grimace = turning(points, ANGLES), grimaces(points, 5)
    mixed = mix(track(turned), track(grimace)).motion
    middle = points.mean(1, keepdim=True)
    wanted = ((grimace.points - middle)[..., None, :] @ rotation(ANGLES)[:, None].mT).squeeze(-2) + middle
    residual = Similarity.fit(points, grimace.points)
    assert (residual.matrix - torch.eye(2)).abs().max() < 1e-6
    torch.testing.assert_close(mixed.points, wanted, rtol=0, atol=1e-6)
    assert mixed.jacobians is not None and grimace.jacobians is not None
    torch.testing.assert_close(mixed.jacobians, rotation(ANGLES)[:, None] @ grimace.jacobians, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.floats(-1, 1), st.floats(0.5, 2), st.floats(-1, 1))
def test_another_size_and_tilt_of_the_second_face_do_not_matter(angle: float, size: float, shift: float) -> None:
    points = face(1)
    turned, grimace = turning(points, ANGLES), grimaces(points, 5)
    matrix = size * rotation(torch.tensor(angle, dtype=torch.float64))
    assert grimace.jacobians is not None
    other = Motion(grimace.points @ matrix.mT + shift, matrix @ grimace.jacobians @ torch.linalg.inv(matrix))
    wanted, found = mix(track(turned), track(grimace)).motion, mix(track(turned), track(other)).motion
    for name, value in named(wanted).items():
        torch.testing.assert_close(named(found)[name], value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MOVED)
def test_a_clip_mixed_with_itself_comes_back(name: str) -> None:
    with one_thread():
        read = Predictor(published_form(name), CPU).read_motion(clip_of())
        mixed = mix(read, read, 4, 4).motion
    for part, value in named(read.motion).items():
        torch.testing.assert_close(named(mixed)[part], value, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", MOVED)
def test_a_mixture_animates(name: str) -> None:
    with one_thread():
        model = Predictor(published_form(name), CPU)
        head, other = (model.read_motion(clip) for clip in (clip_of(), blobs(5, seed=3)))
        mixed = mix(head, other)
        frames = torch.cat([*model.animate(source_picture(), mixed, AnimateOptions())])
    assert len(frames) == FRAMES and bool(frames.isfinite().all())


def test_the_second_is_brought_to_the_firsts_rate_and_held() -> None:
    motion = Motion(torch.arange(5.0)[:, None, None].expand(5, 3, 2))
    assert resampled(motion, 0.5, 12).points[:, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4, 4, 4]
    assert resampled(motion, 2.0, 3).points[:, 0, 0].tolist() == [0, 2, 4]
    signs = torch.tensor([1.0, -1, 1, 1, -1])[:, None, None, None]
    maps = resampled(Motion(motion.points, signs * torch.eye(2).expand(5, 3, 2, 2)), 0.5, 9).jacobians
    assert maps is not None
    torch.testing.assert_close(maps.abs(), torch.eye(2).expand(9, 3, 2, 2))
    points = face(1)
    mixed = mix(track(turning(points, ANGLES), 50), track(grimaces(points, 9), 25))
    assert mixed.fps == Fraction(50) and len(mixed) == 5


def test_other_weights_and_anchors_outside_are_refused() -> None:
    points = face(1)
    turned, other = track(turning(points, ANGLES)), ModelIdentity("fomm", 64 * "b", "other.pth")
    with pytest.raises(InputError, match=r"that other.pth \(fomm, SHA-256 b{12}…\) read, .* that face.pth"):
        mix(turned, track(grimaces(points, 5), model=other))
    fewer = Motion(turned.motion.points[:, :4], None)
    for pair in ((turned, track(fewer)), (track(fewer), turned)):
        with pytest.raises(InputError, match=r"poses of another shape than"):
            mix(*pair)
    far = track(Motion(turned.motion.points * 1e308, turned.motion.jacobians))
    with pytest.raises(InputError, match=r"cannot be mixed: the poses become no numbers"):
        mix(turned, far)
    for anchors, says in (((5, 0), "head_anchor is 5"), ((0, -1), "expression_anchor is -1")):
        with pytest.raises(InputError, match=says):
            mix(turned, turned, *anchors)
