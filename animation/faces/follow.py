"""Head followed through frames that come one by one, as from a camera: by what was found in those that came before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .clips import DETECTIONS
from .face import Face, overlap
from .finders.detector import shrink
from .square import DEFAULT_RATIO, Square, lifted_square
from .track import LEAST_OVERLAP, LONGEST_GAP

Find = Callable[[NDArray[np.uint8]], list[Face]]

FOLLOWING: Final = 0.3  # seconds in which the square goes two thirds of the way to where the head is
LOOKED_AT: Final = 320  # pixels of the longer side in which a head before a camera is looked for
IDLE: Final = 4  # times as long as a detection took, nothing is detected: the rest of the machine is for drawing


class Pool(Protocol):
    """Threads, or whatever else does work and promises its result."""

    def submit(self, fn: Callable[[], _Found], /) -> Future[_Found]:
        """Begin a piece of work."""
        ...


@dataclass(frozen=True, slots=True)
class _Found:
    """Faces of a frame, and the seconds that it took to find them."""

    faces: list[Face]
    cost: float


class HeadFollower:
    """Follower of one head: a square for each frame, which moves smoothly after the head.

    The head is looked for in the `pool` while other frames are drawn, some times a second; only the first frame waits
    for it. It is the largest at first, then the one that was followed so far, until that is gone for a second.
    """

    def __init__(self, find: Find, pool: Pool, ratio: float = DEFAULT_RATIO) -> None:
        self._find, self._pool, self._ratio = find, pool, ratio
        self._pending: Future[_Found] | None = None
        self._asked_at = self._next_at = self._last = -math.inf  # seconds; of the newest search, the next, and frame
        self._seen_at = -math.inf
        self._face: Face | None = None  # as it was last found
        self._at: Face | None = None  # as the square stands

    def square(self, frame: NDArray[np.uint8], seconds: float) -> Square | None:
        """Place the square of a frame (H, W, 3) that was taken at `seconds`; None while no head was found."""
        if seconds < self._last:  # another clock, as of another page
            self._next_at = self._seen_at = -math.inf
        if self._pending is None and seconds >= self._next_at:
            self._pending = self._pool.submit(lambda: self._search(frame))
            self._asked_at = seconds
        if self._pending is not None and (self._last == -math.inf or self._pending.done()):
            self._take(self._pending.result())
            self._pending = None
        self._move(seconds)
        return None if self._at is None else lifted_square(self._at, self._ratio, 0.0)

    def _search(self, frame: NDArray[np.uint8]) -> _Found:
        started = time.perf_counter()
        small = shrink(frame, LOOKED_AT)
        across, down = frame.shape[1] / small.shape[1], frame.shape[0] / small.shape[0]
        faces = [
            replace(face, x0=face.x0 * across, x1=face.x1 * across, y0=face.y0 * down, y1=face.y1 * down)
            for face in self._find(small)
        ]
        return _Found(faces, time.perf_counter() - started)

    def _take(self, found: _Found) -> None:
        self._next_at = self._asked_at + max(1 / DETECTIONS, (1 + IDLE) * found.cost)
        face = max(found.faces, key=lambda face: face.width * face.height, default=None)
        if self._face is not None and self._asked_at - self._seen_at <= LONGEST_GAP:
            known = self._face
            same = [other for other in found.faces if overlap(other, known) >= LEAST_OVERLAP]
            face = max(same, key=lambda other: overlap(other, known), default=None)
        if face is not None:
            self._face, self._seen_at = face, self._asked_at

    def _move(self, seconds: float) -> None:
        passed, self._last = seconds - self._last, seconds
        if self._face is None:
            return
        if self._at is None or not 0 <= passed < math.inf:
            self._at = self._face
            return
        share = 1 - math.exp(-passed / FOLLOWING)
        x0, y0, x1, y1 = (old + share * (new - old) for old, new in zip(self._at.box, self._face.box, strict=True))
        self._at = Face(x0, y0, x1, y1)
