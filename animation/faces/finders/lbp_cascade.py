"""Cascade of local binary patterns (Ahonen et al. 2004) that comes with scikit-image, which the pack requires.

Finds upright faces that look ahead: the last resort.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..face import Face
from .detector import Detect, Detector
from .installed import files_of, need, reporting_damage

FILE = "data/lbpcascade_frontalface_opencv.xml"
WINDOW = 24  # pixels of the smallest face
SCALING = 1.1  # from one size of windows to the next
PACE = 1.5  # of the search; 1 leaves no place out
NEIGHBOURS = 10  # windows near one another that see a face, at the score 1


def missing() -> str | None:
    """Name the package if its file is not there."""
    return need(files_of("skimage", FILE), "the package scikit-image")


def load(threshold: float, device: torch.device) -> Detect:
    """Load the cascade. It has no scores: the threshold sets how many windows near one another must see a face."""
    neighbours = max(1, round(threshold * NEIGHBOURS))
    (file,) = files_of("skimage", FILE)
    with reporting_damage(file.name):
        from skimage import feature

        cascade: Any = cast(Any, feature).Cascade(str(file))

    def detect(picture: NDArray[np.uint8]) -> list[Face]:
        sides = (WINDOW, WINDOW), (max(picture.shape[:2]),) * 2
        boxes: list[dict[str, int]] = cascade.detect_multi_scale(
            picture, SCALING, PACE, *sides, min_neighbor_number=neighbours
        )
        return [
            Face(box["c"], box["r"], box["c"] + box["width"], box["r"] + box["height"], max(threshold, 0.5))
            for box in boxes
        ]

    with reporting_damage(file.name):
        detect(np.zeros((2 * WINDOW, 2 * WINDOW, 3), np.uint8))
    return detect


DETECTOR = Detector("cascade", 0.5, 480, "pip install scikit-image", missing, load)
