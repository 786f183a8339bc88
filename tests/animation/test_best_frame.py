"""The anchor frame: which one is nearest in pose, by which means, and what happens without faces."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from first_order_motion.animation.best_frame import (
    find_best_frame,
    landmark_finder,
    nearest,
    normalise_points,
    pose_distances,
)
from first_order_motion.animation.faces import landmarks
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Animator, Motion
from numpy.typing import NDArray
from support.architectures import CPU, SIDE, blobs, every_architecture, one_thread, source_picture, tiny
from support.paths import PARITY_ROOT
from torch import Tensor

PACKS = sorted((PARITY_ROOT / "fomm").iterdir())
Points = NDArray[np.floating]
FRAMES = 7


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def found(
    animator: Animator,
    clip: Tensor,
    finder: Callable[[NDArray[np.uint8]], list[Points | None]] | None = None,
    batch: int = 3,
    hooks: Hooks | None = None,
) -> int:
    options = AnimateOptions(batch=batch)
    return find_best_frame(animator, source_picture(), TensorClip(clip), CPU, options, hooks or Hooks(), finder)


# --- distances between poses ---


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_distances_equal_the_published_ones(pack: Path) -> None:
    with np.load(pack / "expected.npz") as expected:
        want = {key: expected[f"best_frame_landmarks/{key}"] for key in SHEET}
    distances = pose_distances(want["input_source"], list(want["input_frames"]))
    np.testing.assert_allclose(distances, want["distances"], rtol=1e-5, atol=1e-5)
    assert nearest(distances) == int(want["index"])


SHEET = ("input_source", "input_frames", "distances", "index")


def face(seed: int = 0, size: float = 50.0) -> Points:
    return size * np.random.default_rng(seed).random((68, 2))


def test_a_pose_is_the_same_wherever_it_is_and_however_large() -> None:
    distances = pose_distances(face(), [face(1), 3 * face() + 100, face()])
    np.testing.assert_allclose(distances[1:], 0, atol=1e-20)
    assert distances[0] > 1


def test_ties_choose_the_first() -> None:
    assert nearest(pose_distances(face(), [face(1), face(), face(), face()])) == 1


def test_frames_without_points_are_infinitely_far() -> None:
    distances = pose_distances(face(), [None, face(1), None, face()])
    assert np.isinf(distances).tolist() == [True, False, True, False]
    assert nearest(distances) == 3


FLAT = {
    "one_line": np.stack([np.arange(68.0), 2 * np.arange(68.0)], axis=1),
    "one_point": np.full((68, 2), 9.0),
    "two_points": face()[:2],
    "not_finite": np.full((68, 2), np.nan),
}
every_flat = pytest.mark.parametrize("flat", FLAT.values(), ids=FLAT)


@every_flat
def test_flat_points_have_no_pose(flat: Points) -> None:
    assert normalise_points(flat) is None
    distances = pose_distances(face()[: len(flat)], [flat, face(1)[: len(flat)]])
    assert np.isinf(distances[0])
    assert nearest(pose_distances(face(), [flat, face(1)])) == 1


@every_flat
def test_a_flat_source_makes_every_frame_infinitely_far(flat: Points) -> None:
    distances = pose_distances(flat, [face(), face(1)])
    assert np.isinf(distances).all()
    assert nearest(distances) == 0


def test_no_frames_at_all_have_no_nearest() -> None:
    assert nearest(pose_distances(face(), [None, None])) == 0


# --- by the model's keypoints ---


@every_architecture
@pytest.mark.parametrize("index", [0, 3, FRAMES - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_frame_that_is_the_source_is_found(name: str, index: int, batch: int) -> None:
    clip = blobs(FRAMES)
    clip[index] = source_picture()[0]
    assert found(tiny(name), clip, batch=batch) == index


@every_architecture
def test_of_identical_frames_the_first_is_chosen(name: str) -> None:
    assert found(tiny(name), blobs(1).expand(5, -1, -1, -1), batch=8) == 0


@every_architecture
def test_a_single_frame_is_the_best(name: str) -> None:
    assert found(tiny(name), blobs(1)) == 0


@every_architecture
def test_a_flat_source_warns_and_takes_the_first(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    animator = tiny(name)
    motion = animator.motion

    def flat(frames: Tensor) -> Any:
        return SimpleNamespace(points=0 * motion(frames).points)

    monkeypatch.setattr(animator, "motion", flat)
    assert found(animator, blobs(4)) == 0
    assert warnings(caplog) == ["No pose could be compared by model keypoints."]


def test_cancel_is_checked_every_chunk() -> None:
    checks: list[int] = []
    found(tiny("fomm"), blobs(FRAMES), batch=2, hooks=Hooks(check_cancelled=lambda: checks.append(1)))
    assert len(checks) == 4


@every_architecture
def test_out_of_memory_halves_the_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    animator, sizes = tiny(name), list[int]()
    motion = animator.motion

    def scarce(frames: Tensor) -> Motion:
        sizes.append(len(frames))
        if len(frames) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return motion(frames)

    monkeypatch.setattr(animator, "motion", scarce)
    clip = blobs(FRAMES)
    clip[4] = source_picture()[0]
    assert found(animator, clip, batch=5) == 4
    assert sizes == [1, 5, 2, 2, 1, 2]


@pytest.mark.parametrize(
    ("clip", "message"),
    [(blobs(0), "driving has 0 frames"), (blobs(2) * torch.nan, "driving holds NaN")],
    ids=["empty", "nan"],
)
def test_bad_clips_are_named(clip: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        found(tiny("fomm"), clip)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# --- by landmarks ---


class Finder:
    """Gives the prepared points: first the source's, then frame by frame; checks the pictures it is shown."""

    def __init__(self, source: Points | None, frames: Sequence[Points | None]) -> None:
        self.points = [source, *frames]
        self.seen = 0

    def __call__(self, pictures: NDArray[np.uint8]) -> list[Points | None]:
        assert pictures.dtype == np.uint8
        assert pictures.shape[1:] == (SIDE, SIDE, 3)
        first, self.seen = self.seen, self.seen + len(pictures)
        return self.points[first : self.seen]


@every_architecture
@pytest.mark.parametrize("index", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_landmarks_decide(name: str, index: int, batch: int) -> None:
    poses = [face(seed) for seed in range(1, 6)]
    poses[index] = 2 * face() + 5
    finder = Finder(face(), poses)
    assert found(tiny(name), blobs(5), finder, batch=batch) == index
    assert finder.seen == 6


@every_architecture
def test_frames_without_a_face_are_skipped(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert found(tiny(name), blobs(5), Finder(face(), [None, FLAT["one_line"], face(1), face(), None])) == 3
    assert warnings(caplog) == []


NO_FACES = {
    "source": Finder(None, [face(1)] * 5),
    "frames": Finder(face(), [None] * 5),
    "both": Finder(None, [None] * 5),
    "flat_source": Finder(FLAT["one_line"], [face(1)] * 5),
    "flat_frames": Finder(face(), [FLAT["one_point"]] * 5),
}


@every_architecture
@pytest.mark.parametrize("finder", NO_FACES.values(), ids=NO_FACES)
def test_without_faces_keypoints_decide(name: str, finder: Finder, caplog: pytest.LogCaptureFixture) -> None:
    finder.seen = 0
    clip = blobs(5)
    clip[3] = source_picture()[0]
    assert found(tiny(name), clip, finder) == 3
    assert warnings(caplog) == ["No pose could be compared by face landmarks."]


# --- whether landmarks can be had ---


def without(monkeypatch: pytest.MonkeyPatch, *parts: str) -> None:
    monkeypatch.setattr(landmarks, "missing_parts", lambda: list(parts))


@pytest.mark.parametrize("part", ["the package face-alignment", "/models/s3fd-619a316812.pth"])
def test_landmarks_that_cannot_be_had_are_an_error_only_when_asked_for(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, part)
    with pytest.raises(InputError, match=f"Face landmarks need {part}, which is not installed") as caught:
        landmark_finder("face landmarks", CPU)
    assert "\n" not in str(caught.value)
    assert landmark_finder("auto", CPU) is None


def test_keypoints_never_look_for_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "missing_parts", lambda: pytest.fail("looked for landmarks"))
    assert landmark_finder("model keypoints", CPU) is None


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(InputError, match=r"'by hand'.*auto, face landmarks, model keypoints"):
        landmark_finder("by hand", CPU)


def test_missing_parts_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(landmarks, "find_spec", lambda name: None)
    assert landmarks.missing_parts() == ["the package face-alignment"]
    monkeypatch.setattr(landmarks, "find_spec", lambda name: name)
    missing = landmarks.missing_parts()
    assert len(missing) == len(landmarks.WEIGHTS)
    assert all(name in part for name, part in zip(landmarks.WEIGHTS, missing, strict=True))
    (tmp_path / "checkpoints").mkdir()
    for name in landmarks.WEIGHTS:
        (tmp_path / "checkpoints" / name).touch()
    assert landmarks.missing_parts() == []


class FakeFaceAlignment(ModuleType):
    """`face_alignment` as far as it is used; the value of a picture's first byte is its number of faces."""

    class LandmarksType:
        TWO_D = "2D"

    class FaceAlignment:
        def __init__(self, landmarks_type: object, **options: object) -> None:
            assert (landmarks_type, options["device"]) == ("2D", "cpu")

        def get_landmarks_from_image(self, picture: NDArray[np.uint8]) -> list[Points] | None:
            count = int(picture[0, 0, 0])
            return [face(number).astype(np.float32) for number in range(count)] or None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment", FakeFaceAlignment("face_alignment"))
    without(monkeypatch)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("method", ["auto", "face landmarks"])
def test_of_several_faces_the_first_counts(method: str) -> None:
    finder = landmark_finder(method, CPU)
    assert finder is not None
    pictures = np.zeros((4, 8, 8, 3), np.uint8)
    pictures[:, 0, 0, 0] = [0, 1, 2, 0]
    points = finder(pictures)
    assert [value is None for value in points] == [True, False, False, True]
    for value in points[1:3]:
        np.testing.assert_array_equal(value, face().astype(np.float32))


@pytest.mark.usefixtures("fake")
def test_landmarks_end_to_end() -> None:
    """One face, the same in source and frame 2 alone."""
    source, clip = (torch.zeros(count, SIDE, SIDE, 3, dtype=torch.uint8) for count in (1, 4))
    source[..., 0], clip[2, ..., 0] = 1, 1
    best = find_best_frame(
        tiny("fomm"), source, TensorClip(clip), CPU, AnimateOptions(), Hooks(), landmark_finder("auto", CPU)
    )
    assert best == 2
