"""Histograms of oriented gradients (Dalal and Triggs 2005) as trained for dlib; boxes only, faces that look ahead."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ..face import Face
from .detector import Detect, Detector
from .installed import is_installed, need, reporting_damage

WINDOW = 80  # pixels of the smallest face that dlib sees
DOUBLINGS = 1  # of the picture, to find faces of half that


def missing() -> str | None:
    """Name the package if it is not installed."""
    return need(is_installed("dlib"), "the package dlib-bin (or dlib)")


def load(threshold: float, device: torch.device) -> Detect:
    """Load the detector; its margins m become scores 1 / (1 + exp(-2 m)), so that dlib's own limit, 0, is 0.5."""
    margin = math.log(threshold / (1 - threshold)) / 2
    with reporting_damage("dlib"):
        import dlib

        detector = dlib.get_frontal_face_detector()
        detector.run(np.zeros((WINDOW, WINDOW, 3), np.uint8), 0, margin)

    def detect(picture: NDArray[np.uint8]) -> list[Face]:
        boxes, margins, _ = detector.run(picture, DOUBLINGS, margin)
        return [
            Face(box.left(), box.top(), box.right() + 1, box.bottom() + 1, 1 / (1 + math.exp(-2 * own)))
            for box, own in zip(boxes, margins, strict=True)
        ]

    return detect


DETECTOR = Detector("dlib", 0.6, 960, "pip install dlib-bin", missing, load)
