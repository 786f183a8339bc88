"""Tracks of faces through a clip: detections linked from frame to frame, gaps filled, and squares that follow them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from .face import Face, overlap
from .square import DEFAULT_RATIO, Square, lifted_square, roll_of, square_around

LEAST_OVERLAP = 0.2  # with where the face was expected; less is another face
LONGEST_GAP = 1.0  # seconds after which a face that is gone has left
SMOOTHING = 0.3  # seconds, the standard deviation of the smoothing of paths
_REMEMBERED = 6  # detections that a face's movement is judged by

Boxes = NDArray[np.float64]


@dataclass(slots=True)
class Track:
    """One face through a clip: detections by the number of their frame."""

    faces: dict[int, Face] = field(default_factory=dict[int, Face])

    @property
    def first(self) -> int:
        """Number of the first frame with this face."""
        return next(iter(self.faces))

    @property
    def last(self) -> int:
        """Number of the last frame with this face."""
        return next(reversed(self.faces))

    def boxes(self, count: int) -> Boxes:
        """Give a box for each of `count` frames (count, 4): between detections on a straight line, beyond them held."""
        numbers = np.fromiter(self.faces, np.float64)
        found: Boxes = np.array([face.box for face in self.faces.values()], np.float64)
        return np.stack([np.interp(np.arange(count), numbers, found[:, edge]) for edge in range(4)], axis=1)

    def rolls(self, count: int) -> Boxes:
        """Give for each of `count` frames how far the face is tilted clockwise, in radians; 0 without landmarks."""
        numbers = np.fromiter(self.faces, np.float64)
        found = np.unwrap([roll_of(face) for face in self.faces.values()])
        return np.interp(np.arange(count), numbers, found)

    def expected(self, number: int) -> Face:
        """Predict the box in a later frame from the movement of its middle so far; its size is kept."""
        recent = list(self.faces.items())[-_REMEMBERED:]
        newest = recent[-1][1]
        if len(recent) < 2:
            return newest
        times = np.array([time for time, _ in recent], np.float64)
        middles = np.array([face.centre for _, face in recent], np.float64)
        slopes, starts = np.polyfit(times, middles, 1)
        x, y = starts + slopes * number
        half_width, half_height = newest.width / 2, newest.height / 2
        return Face(x - half_width, y - half_height, x + half_width, y + half_height)


def link(detections: Iterable[tuple[int, Sequence[Face]]], longest_gap: int) -> list[Track]:
    """Link the faces of frames, each with its number in rising order, to one track per person, in order of appearance.

    A face continues the track that expected it best; one that is not found for more than `longest_gap` frames has
    left. People who cross each other keep their tracks by the direction in which they go.
    """
    tracks: list[Track] = []
    for number, faces in detections:
        present = [track for track in tracks if number - track.last <= longest_gap]
        taken = _assign([track.expected(number) for track in present], faces)
        for place, face in enumerate(faces):
            track = present[taken[place]] if place in taken else Track()
            if place not in taken:
                tracks.append(track)
            track.faces[number] = face
    return tracks


def _assign(expected: Sequence[Face], found: Sequence[Face]) -> dict[int, int]:
    """Pair found faces with expected ones so that they overlap most in all: places of the one by the other's."""
    if not expected or not found:
        return {}
    overlaps = np.array([[overlap(one, other) for other in expected] for one in found])
    rows, columns = linear_sum_assignment(-overlaps)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if overlaps[r, c] >= LEAST_OVERLAP}


def present_longest(tracks: Sequence[Track], count: int) -> list[Track]:
    """Keep the tracks that last for at least a tenth of `count` frames, and at least the longest; left to right."""
    if not tracks:
        return []
    least = min(count / 10, max(len(track.faces) for track in tracks))
    kept = [track for track in tracks if track.last - track.first + 1 >= least or len(track.faces) >= least]
    return sorted(kept, key=lambda track: float(np.mean([face.centre[0] for face in track.faces.values()])))


def union_square(boxes: Boxes, ratio: float = DEFAULT_RATIO) -> Square:
    """Place one square for a whole clip: around all boxes (N, 4) together, with a margin by the largest of them."""
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    largest = float(np.max(boxes[:, 2:] - boxes[:, :2]))
    margin = largest * (1 + 2 * ratio) - largest
    side = max(float(x1 - x0), float(y1 - y0)) + margin
    around = square_around(Face(float(x0), float(y0), float(x1), float(y1)), 0.0)
    return Square(around.x, around.y, side).aligned()


def smooth_squares(
    boxes: Boxes,
    rate: float,
    ratio: float = DEFAULT_RATIO,
    seconds: float = SMOOTHING,
    rolls: Boxes | None = None,
) -> list[Square]:
    """Place a square for each frame of a clip of `rate` frames per second, along a smoothed path of boxes (N, 4).

    Middle, size and the `rolls` (N) by which squares are turned, in radians, are smoothed by a Gaussian that looks as
    far ahead as back, so that the path does not lag.
    """
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, np.max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True)
    tilts = np.zeros(len(boxes)) if rolls is None else rolls
    path = _smoothed(np.concatenate([middles, sizes, tilts[:, None]], axis=1), seconds * rate)
    return [
        lifted_square(Face(x - size / 2, y - size / 2, x + size / 2, y + size / 2), ratio, tilt)
        for x, y, size, tilt in path.tolist()
    ]


def _smoothed(path: Boxes, sigma: float) -> Boxes:
    """Smooth along the first axis; beyond its ends the path goes on as its mirror image through the end point."""
    if sigma <= 0 or len(path) < 2:
        return path
    reach = min(len(path) - 1, round(4 * sigma))
    long = np.pad(path, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = gaussian_filter1d(long, sigma, axis=0, mode="nearest")
    return smooth[reach : reach + len(path)]
