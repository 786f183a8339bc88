"""Faces as boxes in pictures: how they are described, ordered, chosen, and read from a mask or a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...core.errors import InputError

ALL, LARGEST = "all", "largest"
LEAST_SIDE = 8  # pixels; smaller boxes hold no face that could be animated
MOST_FACES = 64

Landmarks = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Face:
    """Face found in a picture: its box in pixels, from the outer edge of the first to that of the last one.

    `score` is the detector's own measure of certainty, 1 for boxes that a person gave. `landmarks` (N, 2) are points in
    pixels, at least the eyes' centres first (the one on the left of the picture, then the other), or None.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = 1.0
    landmarks: Landmarks | None = field(default=None, compare=False)

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        """Middle (x, y) of the box in pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Edges x0, y0, x1, y1 in pixels."""
        return self.x0, self.y0, self.x1, self.y1


class FaceFinder(Protocol):
    """Finder of the faces in single pictures."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in an RGB picture (H, W, 3), in any order."""
        ...


def overlap(one: Face, other: Face) -> float:
    """Divide the area that two boxes share by the area of both together (intersection over union), in [0, 1]."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def left_to_right(faces: Sequence[Face]) -> list[Face]:
    """Sort faces by the horizontal place of their centres; the order in which users count them, from 0."""
    return sorted(faces, key=lambda face: face.centre)


def without_doubles(faces: Sequence[Face], most: float = 0.4) -> list[Face]:
    """Leave out each box that overlaps a more certain one by more than `most` (non-maximum suppression)."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(overlap(face, other) <= most for other in kept):
            kept.append(face)
    return kept


def choose_faces(faces: Sequence[Face], choice: str, parameter: str = "faces") -> list[Face]:
    """Choose of the faces "all", the "largest", or those with the numbers in a text such as "0,2".

    Faces are counted from left to right; the result is in that order, or in that of the numbers. Raises InputError for
    another text and for a number that no face has.
    """
    ordered = left_to_right(faces)
    text = choice.strip().lower()
    if text in ("", ALL):
        return ordered
    if text == LARGEST:
        return [max(ordered, key=lambda face: face.width * face.height)] if ordered else []
    return [ordered[number] for number in _numbers(text, len(ordered), parameter)]


def _numbers(text: str, count: int, parameter: str) -> list[int]:
    parts = [part for part in text.replace(",", " ").split() if part]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        raise InputError(f"is {text[:40]!r}; {ALL}, {LARGEST} or numbers such as 0,2 were wanted.", parameter)
    numbers = list(dict.fromkeys(int(part) for part in parts))
    absent = next((number for number in numbers if number >= count), None)
    if absent is not None:
        known = f"0 to {count - 1}, from left to right" if count > 1 else "0 alone" if count else "none at all"
        raise InputError(f"names face {absent}; there is {known}. Choose again.", parameter)
    return numbers


def faces_from_text(text: str) -> list[Face]:
    """Read boxes from JSON: a list of [x0, y0, x1, y1] in pixels, or one such box; raises InputError for other texts.

    A box may also be an object with those four names, as other tools write them, or with x, y, width and height.
    """
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"are no JSON: {str(error)[:80]}. {_WANTED}", "boxes") from error
    boxes: object = content if _edges(content) is None else [content]
    if not isinstance(boxes, list):
        raise InputError(f"are a {type(boxes).__name__}. {_WANTED}", "boxes")
    return faces_from_boxes(cast("list[Any]", boxes))


_WANTED = "A list of boxes was wanted, such as [[40, 60, 200, 220]]: left, top, right, bottom in pixels."


def faces_from_boxes(boxes: Sequence[Any]) -> list[Face]:
    """Check boxes [x0, y0, x1, y1] in pixels of any origin, and make faces of them; raises InputError."""
    if len(boxes) > MOST_FACES:
        raise InputError(f"are {len(boxes)}; at most {MOST_FACES} faces are animated at once. Leave some out.", "boxes")
    return [_face(number, box) for number, box in enumerate(boxes)]


def _face(number: int, box: Any) -> Face:
    edges = _edges(box)
    if edges is None:
        raise InputError(f"have {str(box)[:60]!r} at place {number}. {_WANTED}", "boxes")
    x0, y0, x1, y1 = edges
    face = Face(x0, y0, x1, y1)
    if not (face.width >= LEAST_SIDE and face.height >= LEAST_SIDE):
        raise InputError(
            f"have one of {face.width:g} x {face.height:g} pixels at place {number}; a face has at least {LEAST_SIDE} "
            "of each. Give left, top, right, bottom.",
            "boxes",
        )
    return face


def _edges(box: Any) -> list[float] | None:
    """Read four finite numbers of a box in one of the known forms; None for anything else."""
    edges: Any = box
    if isinstance(box, dict):
        named = cast("dict[str, Any]", box)
        edges = [named.get(name) for name in ("x0", "y0", "x1", "y1")]
        if None in edges:
            sides = [named.get(name) for name in ("x", "y", "width", "height")]
            edges = _from_sides(*cast("list[float]", sides)) if all(map(_is_number, sides)) else None
    if not isinstance(edges, list | tuple):
        return None
    first = cast("Sequence[Any]", edges)[:4]
    return [float(edge) for edge in first] if len(first) == 4 and all(map(_is_number, first)) else None


def _from_sides(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y + height]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def faces_from_mask(mask: NDArray[np.floating]) -> list[Face]:
    """Take each connected part of a mask (H, W) above one half as a face: the box around it.

    Parts of fewer than 8 pixels in either direction are left out, as are all but the largest 64.
    """
    labels, count = ndimage.label(mask > 0.5, np.ones((3, 3)))
    slices = cast("list[tuple[slice, slice]]", ndimage.find_objects(labels, count))
    found = [Face(float(x.start), float(y.start), float(x.stop), float(y.stop)) for y, x in slices]
    large = [face for face in found if min(face.width, face.height) >= LEAST_SIDE]
    return sorted(large, key=lambda face: -face.width * face.height)[:MOST_FACES]
