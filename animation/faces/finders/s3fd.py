"""S3FD (Zhang et al. 2017) of the package `face-alignment`, where its weights are on disk; they are never fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ....core.installation import install_hint
from ..face import Face
from ..landmarks import WEIGHTS
from .detector import Detect, Detector, face_of
from .installed import is_installed, need, reporting_damage

INSTALL = f"{install_hint('landmarks')} (its weights are to be fetched by hand)"


def missing() -> str | None:
    """Name the first part that is not installed."""
    absent = need(is_installed("face_alignment"), "the package face-alignment")
    return absent or need(_file().is_file(), f"{WEIGHTS[0]} in PyTorch's hub/checkpoints folder")


def _file() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS[0]


def load(threshold: float, device: torch.device) -> Detect:
    """Load the network on the device."""
    with reporting_damage("face-alignment"):
        from face_alignment.detection.sfd import FaceDetector

        network = FaceDetector(str(device), path_to_detector=str(_file()), filter_threshold=threshold)

    def detect(picture: NDArray[np.uint8]) -> list[Face]:
        return [face_of(box[:4], float(box[4])) for box in network.detect_from_image(picture)]

    with reporting_damage("face-alignment"):
        detect(np.zeros((64, 64, 3), np.uint8))
    return detect


DETECTOR = Detector("face-alignment", 0.5, 768, INSTALL, missing, load)
