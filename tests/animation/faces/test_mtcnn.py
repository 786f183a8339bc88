"""MTCNN: the cascade on constructed networks, and the networks on constructed weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.finders import mtcnn, mtcnn_networks
from first_order_motion.animation.faces.finders.installed import BrokenDetectorError
from numpy.typing import NDArray
from support.packages import put_package

Floats = NDArray[np.float32]
CPU = torch.device("cpu")


def test_mtcnn_looks_closer_at_what_was_proposed() -> None:
    """The stand-ins see a white square of 48 pixels; each scores how much of what it sees is white."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:88, 60:108] = 255

    def first(values: Floats) -> list[Floats]:
        height, width = (values.shape[2] - 10) // 2, (values.shape[3] - 10) // 2
        places = [(y, x) for y in range(height) for x in range(width)]
        white = [values[0, 0, 2 * y : 2 * y + 12, 2 * x : 2 * x + 12].mean() > 0.98 for y, x in places]
        return [np.array(white, np.float32).reshape(height, width), np.zeros((4, height, width), np.float32)]

    def second(values: Floats) -> list[Floats]:
        assert values.shape[1:] == (3, 24, 24)
        return [(values.mean((1, 2, 3)) + 1) / 2, np.zeros((len(values), 4), np.float32)]

    def third(values: Floats) -> list[Floats]:
        assert values.shape[1:] == (3, 48, 48)
        points = np.tile(np.array([[0.7, 0.3], [0.3, 0.3], [0.5, 0.5], [0.3, 0.8], [0.7, 0.8]], np.float32), (99, 1, 1))
        corrections = np.tile(np.array([0.1, 0.1, -0.1, -0.1], np.float32), (99, 1))
        scores = (values.mean((1, 2, 3)) + 1) / 2
        return [scores, corrections[: len(values)], points[: len(values)]]

    faces = mtcnn.detect(mtcnn_networks.Networks(first, second, third), picture, 0.9)
    assert faces
    for face in faces:
        assert face.x0 >= 60 and face.y0 >= 40 and face.x1 <= 108 and face.y1 <= 88
        assert face.landmarks is not None
        np.testing.assert_allclose(face.landmarks[0, 0] - face.x0, face.width / 4)
    assert mtcnn.detect(mtcnn_networks.Networks(first, second, third), np.zeros_like(picture), 0.9) == []


SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "pnet": {
        "conv1": (10, 3, 3, 3),
        "conv2": (16, 10, 3, 3),
        "conv3": (32, 16, 3, 3),
        "conv4_1": (2, 32, 1, 1),
        "conv4_2": (4, 32, 1, 1),
    },
    "rnet": {
        "conv1": (28, 3, 3, 3),
        "conv2": (48, 28, 3, 3),
        "conv3": (64, 48, 2, 2),
        "dense4": (128, 576),
        "dense5_1": (2, 128),
        "dense5_2": (4, 128),
    },
    "onet": {
        "conv1": (32, 3, 3, 3),
        "conv2": (64, 32, 3, 3),
        "conv3": (64, 64, 3, 3),
        "conv4": (128, 64, 2, 2),
        "dense5": (256, 1152),
        "dense6_1": (2, 256),
        "dense6_2": (4, 256),
        "dense6_3": (10, 256),
    },
}


def write_mtcnn(monkeypatch: pytest.MonkeyPatch, path: Path) -> Path:
    put_package(monkeypatch, path, "facenet_pytorch")
    (path / "facenet_pytorch" / "data").mkdir()
    generator = torch.Generator().manual_seed(1)
    for network, shapes in SHAPES.items():
        state = {f"{key}.weight": torch.randn(shape, generator=generator) * 0.1 for key, shape in shapes.items()}
        state |= {f"{key}.bias": torch.zeros(shape[0]) for key, shape in shapes.items()}
        hidden = {key[-1]: shape[0] for key, shape in shapes.items() if "_" not in key}
        state |= {f"prelu{number}.weight": torch.full((width,), 0.25) for number, width in hidden.items()}
        torch.save(state, path / "facenet_pytorch" / "data" / f"{network}.pt")
    return path / "facenet_pytorch" / "data"


def test_mtcnn_networks_give_what_their_names_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_mtcnn(monkeypatch, tmp_path)
    assert mtcnn.missing() is None
    networks = mtcnn_networks.load_networks(CPU)
    random = np.random.default_rng(0)
    given = [
        random.uniform(-1, 1, (n, 3, h, w)).astype(np.float32) for n, h, w in [(1, 32, 41), (3, 24, 24), (2, 48, 48)]
    ]
    runs = (networks.first, networks.second, networks.third)
    results = [run(pictures) for run, pictures in zip(runs, given, strict=True)]
    assert [[values.shape for values in result] for result in results] == [
        [(11, 16), (4, 11, 16)],
        [(3,), (3, 4)],
        [(2,), (2, 4), (2, 5, 2)],
    ]
    assert all(result[0].min() >= 0 and result[0].max() <= 1 for result in results)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"<html>"])
def test_damaged_weights_are_one_line(content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (write_mtcnn(monkeypatch, tmp_path) / "rnet.pt").write_bytes(content)
    with pytest.raises(BrokenDetectorError, match=r"^rnet\.pt: ") as caught:
        mtcnn.load(0.7, CPU)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_damage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write_mtcnn(monkeypatch, tmp_path)
    (folder / "onet.pt").write_bytes((folder / "pnet.pt").read_bytes())
    with pytest.raises(BrokenDetectorError, match=r"^facenet-pytorch: "):
        mtcnn.load(0.7, CPU)
