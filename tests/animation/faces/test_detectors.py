"""Which detector is chosen, what is said about it, and how its finder takes pictures; detectors are fakes here."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces import detectors
from first_order_motion.animation.faces.detectors import AUTO, NAMES, installed_detectors, load_face_finder
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.finders.detector import FACES_EXTRA, Detect, Detector, Finder, eyes_first
from first_order_motion.animation.faces.finders.installed import (
    BrokenDetectorError,
    files_of,
    is_installed,
    reporting_damage,
)
from first_order_motion.core.errors import InputError
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
BLANK = np.zeros((50, 40, 3), np.uint8)


@pytest.fixture(autouse=True)
def anew(caplog: pytest.LogCaptureFixture) -> None:
    detectors._log_once.cache_clear()  # pyright: ignore[reportPrivateUsage]
    caplog.set_level(logging.INFO, "first_order_motion.animation.faces.detectors")


def fake(name: str, missing: str | None = None, broken: bool = False, install: str = "pip install it") -> Detector:
    def load(threshold: float, device: torch.device) -> Detect:
        if broken:
            raise BrokenDetectorError("model.bin: EOFError: cut short")
        return lambda picture: [Face(0, 0, 20, 20, threshold)]

    return Detector(name, 0.5, 100, install, lambda: missing, load)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put_there(*rows: Detector) -> None:
        monkeypatch.setattr(detectors, "DETECTORS", rows)
        monkeypatch.setattr(detectors, "NAMES", (AUTO, *(row.name for row in rows), "none"))

    return put_there


def test_names_are_in_the_order_of_preference() -> None:
    assert NAMES == ("auto", "face-alignment", "centerface", "blazeface", "mtcnn", "dlib", "cascade", "none")


def test_auto_takes_the_first_that_is_there_and_says_so_once(
    put: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    put(fake("best", missing="the package best"), fake("good"), fake("poor"))
    assert installed_detectors() == ["good", "poor"]
    assert [load_face_finder().name for _ in range(3)] == ["good"] * 3
    assert caplog.messages == ["Faces are found by good."]


def test_the_last_resort_is_named_with_a_way_to_a_better_one(
    put: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    put(fake("good", missing="the package good"), fake("poor"))
    load_face_finder()
    assert caplog.messages == [f"Faces are found by poor. {FACES_EXTRA} brings a better detector."]


def test_auto_skips_what_is_broken_with_one_line(put: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    put(fake("best", broken=True), fake("good"), fake("poor"))
    for _ in range(2):
        assert load_face_finder().name == "good"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "best is installed but broken (model.bin: EOFError: cut short)" in warnings[0]


def test_where_nothing_works_no_face_is_found(put: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    put(fake("best", broken=True), fake("good", missing="the package good"))
    finder = load_face_finder()
    assert (finder.name, finder(BLANK)) == ("none", [])
    assert "whole pictures are taken" in caplog.messages[-1]
    assert load_face_finder("none")(BLANK) == []


def test_a_missing_detector_is_an_error_by_name_that_says_what_to_install(put: Callable[..., None]) -> None:
    rows = fake("good", missing="the package goody"), fake("extra", missing="the package x", install=FACES_EXTRA)
    put(*rows)
    with pytest.raises(InputError, match=r"^detector is good, which needs the package goody: pip install it") as caught:
        load_face_finder("good")
    assert "pip install '.[faces]'" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        load_face_finder("extra")
    assert str(caught.value).count("[faces]") == 1


def test_a_broken_detector_is_an_error_by_name(put: Callable[..., None]) -> None:
    put(fake("best", broken=True))
    with pytest.raises(InputError, match=r"best, which is broken \(model.bin: EOFError: cut short\): pip install it"):
        load_face_finder("best")


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(InputError, match=r"detector is 'yolo'; choose one of: auto, .*none\."):
        load_face_finder("yolo")


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 2, float("nan")])
def test_other_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=r"^threshold is .* above 0 and below 1"):
        load_face_finder("none", threshold=threshold)


def test_the_threshold_is_the_detectors_own_or_the_callers(put: Callable[..., None]) -> None:
    put(fake("good"))
    assert load_face_finder("good")(BLANK)[0].score == 0.5
    assert load_face_finder("good", threshold=0.8)(BLANK)[0].score == 0.8


# --- pictures of any size and kind ---


def finder(faces: list[Face], seen: list[Picture] | None = None, longest: int = 100) -> Finder:
    def detect(picture: Picture) -> list[Face]:
        if seen is not None:
            seen.append(picture)
        return faces

    return Finder("fake", 0.5, longest, detect)


def test_large_pictures_are_shrunk_and_boxes_come_back_in_their_pixels() -> None:
    seen: list[Picture] = []
    marks = np.array([[20.0, 30.0], [40.0, 30.0]])
    (face,) = finder([Face(10, 20, 50, 60, 0.9, marks)], seen)(np.zeros((2000, 4000, 3), np.uint8))
    assert seen[0].shape == (50, 100, 3)
    assert face.box == (400, 800, 2000, 2000)  # cut at the border
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, marks * 40)


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 1), (40, 30, 2), (40, 30, 4), (40, 30, 3)])
def test_grey_pictures_and_alpha_channels_are_understood(shape: tuple[int, ...]) -> None:
    seen: list[Picture] = []
    finder([], seen)(np.full(shape, 7, np.uint8))
    assert seen[0].shape == (40, 30, 3)
    assert (seen[0] == 7).all()


def test_pictures_without_room_for_a_face_are_not_looked_at() -> None:
    seen: list[Picture] = []
    for shape in [(0, 0, 3), (7, 400, 3)]:
        assert finder([Face(0, 0, 20, 20)], seen)(np.zeros(shape, np.uint8)) == []
    assert not seen


def test_doubles_uncertain_and_tiny_boxes_are_left_out() -> None:
    faces = [
        Face(0, 0, 20, 20, 0.7),
        Face(1, 1, 21, 21, 0.9),
        Face(50, 50, 70, 70, 0.4),
        Face(30, 30, 35, 60, 0.9),
        Face(60, 10, 80, 30, 0.6),
    ]
    assert [face.score for face in finder(faces)(np.zeros((100, 100, 3), np.uint8))] == [0.9, 0.6]


def test_at_most_64_faces_are_found() -> None:
    faces = [Face(x, y, x + 9, y + 9, 0.5 + x / 400) for x in range(0, 100, 10) for y in range(0, 100, 10)]
    found = finder(faces)(np.zeros((100, 100, 3), np.uint8))
    assert len(found) == 64
    assert min(face.score for face in found) >= 0.57


def test_the_eye_on_the_left_of_the_picture_comes_first() -> None:
    ordered = eyes_first(np.array([[9.0, 1], [3, 2], [6, 6]]))
    assert ordered.tolist() == [[3, 2], [9, 1], [6, 6]]


# --- what is installed ---


def test_files_of_packages_are_found_without_importing_them() -> None:
    assert [file.name for file in files_of("skimage", "data/astronaut.png")] == ["astronaut.png"]
    assert files_of("skimage", "data/astronaut.png", "no such file") == []
    assert files_of("no_such_package", "data") == []
    assert files_of("this", "data") == []  # a module, which has no folder
    assert not is_installed("no_such_package")


def test_damage_is_told_in_one_line() -> None:
    with pytest.raises(BrokenDetectorError, match=r"^package: ValueError: first$"), reporting_damage("package"):
        raise ValueError("first\nsecond")
    with pytest.raises(KeyboardInterrupt), reporting_damage("package"):
        raise KeyboardInterrupt
