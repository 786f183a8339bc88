"""Choice of a face detector: the best that is installed, or one by name. Nothing is ever downloaded."""

from __future__ import annotations

import logging
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import InputError
from .face import Face, FaceFinder
from .finders import blazeface, centerface, dlib_hog, lbp_cascade, mtcnn, s3fd
from .finders.detector import FACES_EXTRA, Detector, Finder
from .finders.installed import BrokenDetectorError

log = logging.getLogger(__name__)

AUTO, NONE = "auto", "none"
DETECTORS: tuple[Detector, ...] = tuple(
    module.DETECTOR for module in (s3fd, centerface, blazeface, mtcnn, dlib_hog, lbp_cascade)
)
NAMES = (AUTO, *(detector.name for detector in DETECTORS), NONE)


def load_face_finder(
    detector: str = AUTO, *, threshold: float | None = None, device: torch.device | None = None
) -> FaceFinder:
    """Load a face detector, one of NAMES: "auto" is the first of them that is installed and works.

    With "none", and with "auto" where nothing works, the finder finds no face, and the whole picture is left to take.
    `threshold`, above 0 and below 1, is the least certainty of a face; None is the detector's own. Networks in PyTorch
    run on the device, the CPU by default; others always on the CPU. Raises InputError for a detector that is unknown,
    not installed or broken, and for another threshold.

    Finders shrink pictures to at most 1024 pixels first (the cascade to 480). Of a picture of 4,000 pixels they thus
    find faces from about 100 on, BlazeFace and the cascade from 200 to 300; `tests/benchmarks/faces.py` measures it.
    """
    if threshold is not None and not 0 < threshold < 1:
        raise InputError(f"is {threshold:g}; a number above 0 and below 1 was wanted.", "threshold")
    if detector not in NAMES:
        raise InputError(f"is {detector[:40]!r}; choose one of: {', '.join(NAMES)}.", "detector")
    device = device or torch.device("cpu")
    if detector == AUTO:
        return _first_that_works(threshold, device)
    return NoFinder() if detector == NONE else _by_name(detector, threshold, device)


class NoFinder:
    """Finder of no face at all, so that the whole picture is taken."""

    name = NONE

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Find nothing."""
        return []


def installed_detectors() -> list[str]:
    """List the names of the detectors that are installed, the best first."""
    return [detector.name for detector in DETECTORS if detector.missing() is None]


def _first_that_works(threshold: float | None, device: torch.device) -> FaceFinder:
    for detector in DETECTORS:
        if detector.missing() is not None:
            continue
        try:
            finder = _load(detector, threshold, device)
        except BrokenDetectorError as error:
            _log_once(logging.WARNING, f"The face detector {detector.name} is installed but broken ({error}).")
            continue
        better = f" {FACES_EXTRA} brings a better detector." if detector is DETECTORS[-1] else ""
        _log_once(logging.INFO, f"Faces are found by {detector.name}.{better}")
        return finder
    _log_once(logging.WARNING, f"No face detector works here: whole pictures are taken. {FACES_EXTRA} brings one.")
    return NoFinder()


def _by_name(name: str, threshold: float | None, device: torch.device) -> FaceFinder:
    detector = next(detector for detector in DETECTORS if detector.name == name)
    missing = detector.missing()
    if missing is not None:
        easier = "" if detector.install == FACES_EXTRA else f" ({FACES_EXTRA} brings mtcnn)"
        raise InputError(f"is {name}, which needs {missing}: {detector.install}. Or choose auto{easier}.", "detector")
    try:
        finder = _load(detector, threshold, device)
    except BrokenDetectorError as error:
        raise InputError(f"is {name}, which is broken ({error}): {detector.install}", "detector") from error
    _log_once(logging.INFO, f"Faces are found by {name}.")
    return finder


def _load(detector: Detector, threshold: float | None, device: torch.device) -> FaceFinder:
    least = detector.threshold if threshold is None else threshold
    return Finder(detector.name, least, detector.longest_side, detector.load(least, device))


@lru_cache(maxsize=64)
def _log_once(level: int, text: str) -> None:
    log.log(level, text)
