"""Sources that move: clips of which every frame is animated, made as long as the driving clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from typing_extensions import TypeIs

from ..core.errors import InputError
from ..core.types import Clip
from .frames import ClipFrom

Pictures = Tensor | Sequence[Tensor]
"""Source pictures (B, H, W, C), or several such of different sizes."""

Source = Pictures | Clip
"""Pictures, of which one is animated, or a clip that is animated frame by frame."""

ADD, REPLACE = MOTIONS = ("add", "replace")
HOLD, CYCLE, MIRROR, CUT = ENDS = ("hold", "cycle", "mirror", "cut")

BACKWARD_BLOCK = 32  # frames that are held to show a clip backwards


@dataclass(frozen=True, slots=True)
class MovingSource:
    """Choices for a source that is a clip.

    `motion` "add" adds the driving movement to the pose of each source frame, "replace" to that of the first: the
    source's own movement goes, and a clip that drives itself comes back. Other modes than "relative" take the driving
    pose as it is either way. `ends` is what a source does that is shorter than the driving clip: "hold" its last
    frame, "cycle" from its start, "mirror" back and forth, or "cut" the driving clip. A longer source is left
    unfinished. Raises InputError for other words.
    """

    motion: str = ADD
    ends: str = HOLD

    def __post_init__(self) -> None:
        for name, value, choices in (("source_motion", self.motion, MOTIONS), ("source_ends", self.ends, ENDS)):
            if value not in choices:
                raise InputError(f"is {value!r}; choose one of: {', '.join(choices)}.", name)


def is_moving(source: Source) -> TypeIs[Clip]:
    """Tell whether a source is a clip, whose frames are all animated."""
    return not isinstance(source, Tensor | Sequence)


def frames_of_result(source: Source, driving: Clip, moving: MovingSource) -> int:
    """Count the frames that a clip makes of a source."""
    cut = is_moving(source) and moving.ends == CUT
    return min(len(source), len(driving)) if cut else len(driving)


def as_long_as(source: Source, count: int, moving: MovingSource) -> Source:
    """Make a source that is a clip `count` frames long; pictures stay as they are. InputError for a clip of none."""
    if not is_moving(source):
        return source
    if len(source) == 0:
        raise InputError("has 0 frames; at least 1 is needed. Check the video loader's frame limits.", "source")
    return OrderedClip(source, order_of(len(source), count, moving.ends))


def order_of(length: int, count: int, ends: str) -> list[int]:
    """List which frames of `length` are shown as `count`, by what is done at the end; see `MovingSource`."""
    if length == 1 or ends not in (CYCLE, MIRROR):
        return [min(place, length - 1) for place in range(count)]
    period = length if ends == CYCLE else 2 * length - 2
    places = (place % period for place in range(count))
    return [min(place, period - place) if ends == MIRROR else place for place in places]


class FrameSupply:
    """Frames of a source that moves, taken in order from frame `start` on; None stands for a source without any.

    They are read `size` at a time.
    """

    def __init__(self, clip: Clip | None, start: int, size: int) -> None:
        chunks = iter(()) if clip is None else ClipFrom(clip, start).chunks(size)
        self._frames = None if clip is None else (frame for chunk in chunks for frame in chunk)

    def take(self, count: int) -> Tensor | None:
        """Take the next `count` frames: (count, H, W, C)."""
        return None if self._frames is None else torch.stack([*islice(self._frames, count)])


@runtime_checkable
class SeekableClip(Protocol):
    """Clip that can be read from any frame on without all that come before."""

    def chunks_from(self, start: int, size: int) -> Iterator[Tensor]:
        """Yield the frames from `start` on, `size` at a time."""
        ...


class OrderedClip:
    """Clip that shows the frames of another in the order of the given indices.

    Where the order turns back, the other clip is read again. Frames that are shown backwards are held in memory, some
    at a time.
    """

    def __init__(self, clip: Clip, order: Sequence[int]) -> None:
        self._clip, self._order = clip, order

    def __len__(self) -> int:
        return len(self._order)

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, H, W, C)."""
        return self._clip.frame(self._order[index])

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time."""
        frames = self._frames(size)
        while part := [*islice(frames, size)]:
            yield torch.stack(part)

    def _frames(self, size: int) -> Iterator[Tensor]:
        for run in _runs(self._order):
            if run[0] <= run[-1]:
                yield from self._rising(run, size)
            else:
                yield from reversed([*self._rising(run[::-1], min(size, BACKWARD_BLOCK))])

    def _rising(self, run: Sequence[int], size: int) -> Iterator[Tensor]:
        """Yield the frames of a run of indices that nowhere fall."""
        first = run[0]
        chunks = (
            self._clip.chunks_from(first, size)
            if isinstance(self._clip, SeekableClip)
            else ClipFrom(self._clip, first).chunks(size)
        )
        ahead = (frame for chunk in chunks for frame in chunk)
        frame, place = next(ahead), first
        for index in run:
            while place < index:
                frame, place = next(ahead, frame), place + 1  # a damaged clip may end early
            yield frame


def _runs(order: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut an order into runs that nowhere fall, and into falling runs of at most `BACKWARD_BLOCK`."""
    start, falling = 0, False
    for place in range(1, len(order) + 1):
        length = place - start
        if place < len(order) and length == 1:
            falling = order[place] < order[start]
        ended = place == len(order) or (order[place] < order[place - 1]) != falling
        if ended or (falling and length == BACKWARD_BLOCK):
            yield order[start:place]
            start = place
