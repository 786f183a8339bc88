"""Detectors as rows of a table, and finders: detectors that are loaded and take pictures of any size and kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ....core.installation import install_hint
from ..face import LEAST_SIDE, MOST_FACES, Face, Landmarks, without_doubles

Detect = Callable[[NDArray[np.uint8]], list[Face]]
MOST_CANDIDATES = 1000
FACES_EXTRA = install_hint("faces")


@dataclass(frozen=True, slots=True)
class Detector:
    """Face detector that may be installed here.

    `threshold` is the least score, in [0, 1], of a face by default. Pictures are shrunk until their longer side has
    `longest_side` pixels. `missing` names the first part that is not installed, in words, or is None; it imports
    nothing. `load(threshold, device)` raises BrokenDetectorError for an installation that does not work. `install`
    says how to get it.
    """

    name: str
    threshold: float
    longest_side: int
    install: str
    missing: Callable[[], str | None]
    load: Callable[[float, torch.device], Detect]


@dataclass(slots=True)
class Finder:
    """Loaded detector; a FaceFinder.

    Pictures (H, W, 3), (H, W, 4), (H, W, 1) or (H, W) of any size are taken. Boxes are in their pixels, cut at their
    borders, the most certain first; of boxes on one another the most certain stays, and at most 64.
    """

    name: str
    threshold: float
    longest_side: int
    detect: Detect

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in a picture."""
        height, width = picture.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return []
        small = shrink(as_rgb(picture), self.longest_side)
        scale = width / small.shape[1], height / small.shape[0]
        certain = [face for face in self.detect(small) if face.score >= self.threshold]
        certain.sort(key=lambda face: -face.score)
        faces = [_in_picture(face, scale, (width, height)) for face in certain[:MOST_CANDIDATES]]
        large = [face for face in faces if min(face.width, face.height) >= LEAST_SIDE]
        return without_doubles(large)[:MOST_FACES]


def as_rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make an RGB picture (H, W, 3) of one that is grey, (H, W) or (H, W, 1), or has an alpha channel."""
    if picture.ndim == 2:
        picture = picture[..., None]
    channels = picture[..., :1].repeat(3, -1) if picture.shape[-1] < 3 else picture[..., :3]
    return np.ascontiguousarray(channels)


def resize(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize an RGB picture with linear filtering, antialiased where it shrinks."""
    if picture.shape[:2] == (height, width):
        return picture
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(resized)


def shrink(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Shrink a picture until its longer side has at most `longest` pixels; a smaller one is returned as it is."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def face_of(box: NDArray[np.floating], score: float, landmarks: Landmarks | None = None) -> Face:
    """Make a face of the edges x0, y0, x1, y1."""
    x0, y0, x1, y1 = map(float, box)
    return Face(x0, y0, x1, y1, score, landmarks)


def eyes_first(points: NDArray[np.floating]) -> Landmarks:
    """Order landmarks (N, 2), the eyes first, so that the eye on the left of the picture comes before the other."""
    ordered = np.array(points, np.float64)
    if ordered[0, 0] > ordered[1, 0]:
        ordered[[0, 1]] = ordered[[1, 0]]
    return ordered


def _in_picture(face: Face, scale: tuple[float, float], size: Sequence[int]) -> Face:
    """Scale a face from the shrunk picture to the given one, and cut its box at the borders."""
    x0, x1 = (min(max(x * scale[0], 0.0), float(size[0])) for x in (face.x0, face.x1))
    y0, y1 = (min(max(y * scale[1], 0.0), float(size[1])) for y in (face.y0, face.y1))
    landmarks = None if face.landmarks is None else face.landmarks * np.asarray(scale)
    return replace(face, x0=x0, y0=y0, x1=x1, y1=y1, landmarks=landmarks)
