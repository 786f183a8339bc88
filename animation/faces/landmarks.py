"""68 facial landmarks from the `face-alignment` package, where it and its weights are installed."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

log = logging.getLogger(__name__)

WEIGHTS = ("s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar")


def missing_parts() -> list[str]:
    """List what is missing for landmarks to work here, in words; empty if nothing is.

    The package downloads missing weights by itself; the pack does not let it, since that is the user's
    decision.
    """
    if find_spec("face_alignment") is None:
        return ["the package face-alignment"]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    absent = [name for name in WEIGHTS if not (folder / name).is_file()]
    return [f"the weights {name} of face-alignment in PyTorch's hub/checkpoints folder" for name in absent]


class FaceLandmarks:
    """Detector of the landmarks of the first face in each picture."""

    def __init__(self, device: torch.device) -> None:
        import face_alignment

        self._network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D, flip_input=True, device=str(device), compile=False
        )

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.floating] | None]:
        """Find landmarks in RGB pictures (B, H, W, 3): for each, (68, 2) points in pixels, or None without a face."""
        found: list[NDArray[np.floating] | None] = []
        for picture in pictures:
            faces = self._network.get_landmarks_from_image(picture)
            found.append(np.asarray(faces[0], np.float64) if faces is not None and len(faces) else None)
        return found
