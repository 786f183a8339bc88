"""MTCNN (Zhang et al. 2016): three small networks, each looking closer at what the one before it proposed.

The weights are those of the package `facenet-pytorch`, none of whose code is run. Five landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..face import Face
from .detector import FACES_EXTRA, Detect, Detector, eyes_first, face_of, resize
from .installed import files_of, need
from .mtcnn_networks import FILES, PACKAGE, Floats, Networks, load_networks

LEAST_FACE = 24  # pixels; in the shrunk picture
SHRINKING = math.sqrt(0.5)  # from one size of the pyramid to the next
CELL, STRIDE = 12, 2  # pixels that the first network sees at once, and between two such places
EARLIER_THRESHOLD = 0.7  # of the first two networks
MOST_PROPOSALS = 600

Boxes = NDArray[np.float64]  # (N, 4): x0, y0, x1, y1


def missing() -> str | None:
    """Name the package if its files are not there."""
    return need(files_of(PACKAGE, *FILES), "the package facenet-pytorch")


def load(threshold: float, device: torch.device) -> Detect:
    """Load the networks on the device."""
    networks = load_networks(device)
    return lambda picture: detect(networks, picture, threshold)


@dataclass(frozen=True, slots=True)
class Proposals:
    """Boxes with their scores, and the corrections (N, 4), in parts of the box, that the network proposes."""

    boxes: Boxes
    scores: Floats
    corrections: Floats

    def __getitem__(self, chosen: NDArray[np.intp] | slice) -> Proposals:
        return Proposals(self.boxes[chosen], self.scores[chosen], self.corrections[chosen])

    def corrected(self) -> Boxes:
        """Move the edges as proposed."""
        extent = np.tile(self.boxes[:, 2:] - self.boxes[:, :2], 2)
        return self.boxes + self.corrections * extent

    def without_doubles(self, most: float) -> Proposals:
        """Leave out boxes that overlap a more certain one by more than `most`."""
        return self[_distinct(self.boxes, self.scores, most)]


def detect(networks: Networks, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
    """Find faces; the threshold is that of the last network."""
    found = _propose(networks.first, picture).without_doubles(0.7)[:MOST_PROPOSALS]
    squares = _squares(found.corrected())
    if not len(squares):
        return []
    scores, corrections = networks.second(_crops(picture, squares, 24))
    found = Proposals(squares, scores, corrections)[np.nonzero(scores >= EARLIER_THRESHOLD)[0]].without_doubles(0.7)
    squares = _squares(found.corrected())
    if not len(squares):
        return []
    scores, corrections, points = networks.third(_crops(picture, squares, 48))
    certain = np.nonzero(scores >= threshold)[0]
    boxes = Proposals(squares, scores, corrections)[certain].corrected()
    return [
        face_of(box, float(score), eyes_first(square[:2] + marks * (square[2:] - square[:2])))
        for box, score, square, marks in zip(boxes, scores[certain], squares[certain], points[certain], strict=True)
    ]


def _propose(first: Callable[[Floats], list[Floats]], picture: NDArray[np.uint8]) -> Proposals:
    """Run the first network over the picture at many sizes."""
    height, width = picture.shape[:2]
    parts = [Proposals(np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))]
    scale = CELL / LEAST_FACE
    while min(height, width) * scale >= CELL:
        small = resize(picture, math.ceil(width * scale), math.ceil(height * scale))
        scores, corrections = first(_normalised(small[None]))  # (h, w), (4, h, w)
        rows, columns = np.nonzero(scores >= EARLIER_THRESHOLD)
        corner = np.stack([columns, rows], 1) * STRIDE
        factors = width / small.shape[1], height / small.shape[0]
        boxes = np.concatenate([corner, corner + CELL], 1) * np.tile(np.asarray(factors, np.float64), 2)
        own = Proposals(boxes, scores[rows, columns], np.swapaxes(corrections[:, rows, columns], 0, 1))
        parts.append(own.without_doubles(0.5))
        scale *= SHRINKING
    return Proposals(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.corrections for part in parts]),
    )


def _distinct(boxes: Boxes, scores: Floats, most: float) -> NDArray[np.intp]:
    """Choose boxes so that none overlaps a more certain one by more than `most`; the most certain first."""
    order = np.argsort(-scores)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(boxes[best, :2], boxes[order, :2])
        shared = np.prod(np.maximum(sides, 0), 1)
        order = order[shared <= most * (areas[best] + areas[order] - shared)]
    return np.array(kept, np.intp)


def _squares(boxes: Boxes) -> Boxes:
    """Widen boxes to squares of whole pixels round their middles."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.rint(np.concatenate([middle - half, middle + half], 1), dtype=np.float64)


def _crops(picture: NDArray[np.uint8], squares: Boxes, size: int) -> Floats:
    """Cut squares out, black beyond the borders: (N, 3, size, size) in -1..1."""
    crops = np.zeros((len(squares), size, size, 3), np.uint8)
    height, width = picture.shape[:2]
    for crop, (x0, y0, x1, y1) in zip(crops, squares.astype(int).tolist(), strict=True):
        part = picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
        rim = [(max(0, -y0), max(0, y1 - height)), (max(0, -x0), max(0, x1 - width)), (0, 0)]
        if part.size:
            crop[:] = resize(np.pad(part, rim), size, size)
    return _normalised(crops)


def _normalised(pictures: NDArray[np.uint8]) -> Floats:
    values = np.moveaxis(pictures, -1, 1).astype(np.float32, order="C")
    values -= 127.5
    values /= 128
    return values


DETECTOR = Detector("mtcnn", 0.7, 1024, FACES_EXTRA, missing, load)
