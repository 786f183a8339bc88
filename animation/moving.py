"""Sources that move: clips of which every frame is animated, made as long as the driving clip."""

from __future__ import annotations

import math
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

_ROUNDING = 1e-6  # of a frame: products of rates that are whole may come out a little less
BACKWARD_BLOCK = 32  # frames that are held to show a clip backwards


@dataclass(frozen=True, slots=True)
class MovingSource:
    """Choices for a source that is a clip.

    `motion` "add" adds the driving movement to the pose of each source frame, "replace" to that of the first: the
    source's own movement goes, and a clip that drives itself comes back. Other modes than "relative" take the driving
    pose as it is either way. `ends` is what a source does that is shorter than the driving clip: "hold" its last
    frame, "cycle" from its start, "mirror" back and forth, or "cut" the driving clip. A longer source is left
    unfinished. `speed` is how many source frames pass with each driving frame, for clips of different rates. Raises
    InputError for other words, and for a speed that is not positive.
    """

    motion: str = ADD
    ends: str = HOLD
    speed: float = 1.0

    def __post_init__(self) -> None:
        for name, value, choices in (("source_motion", self.motion, MOTIONS), ("source_ends", self.ends, ENDS)):
            if value not in choices:
                raise InputError(f"is {value!r}; choose one of: {', '.join(choices)}.", name)
        if not 0 < self.speed < math.inf:
            raise InputError(f"is {self.speed:g}; a number above 0 was wanted. 1 keeps the frames.", "source_speed")

    def order_of(self, length: int, frames: int) -> list[int]:
        """List which of the source's `length` frames is shown with each of `frames`."""
        places = [frame_at(place, self.speed) for place in range(frames)]
        if length == 1 or self.ends not in (CYCLE, MIRROR):
            return [min(place, length - 1) for place in places]
        period = length if self.ends == CYCLE else 2 * length - 2
        cycled = [place % period for place in places]
        return [min(place, period - place) for place in cycled] if self.ends == MIRROR else cycled

    def frames_with(self, length: int, driving: int) -> int:
        """Count the frames that a source of `length` makes with `driving` ones."""
        return min(driving, math.ceil(length / self.speed)) if self.ends == CUT else driving


def frame_at(place: int, speed: float) -> int:
    """Return the frame shown with frame `place` of another clip, by which it goes at `speed`: the last one begun."""
    return math.floor(place * speed + _ROUNDING)


def is_moving(source: Source) -> TypeIs[Clip]:
    """Tell whether a source is a clip, whose frames are all animated."""
    return not isinstance(source, Tensor | Sequence)


def result_frames(source: Source, driving: Clip, moving: MovingSource) -> int:
    """Count the frames that a driving clip makes of a source."""
    return moving.frames_with(len(source), len(driving)) if is_moving(source) else len(driving)


def as_long_as(source: Source, frames: int, moving: MovingSource) -> Source:
    """Show a source that is a clip for so many frames; pictures stay as they are. InputError for an empty clip."""
    if not is_moving(source):
        return source
    if len(source) == 0:
        raise InputError("has 0 frames; at least 1 is needed. Check the video loader's frame limits.", "source")
    return OrderedClip(source, moving.order_of(len(source), frames))


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
        self._clip, self.order = clip, order

    def __len__(self) -> int:
        return len(self.order)

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, H, W, C)."""
        place = min(self.order[index], len(self._clip) - 1)  # a damaged clip turns out shorter
        return self._clip.frame(place)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time."""
        frames = self._frames(size)
        while part := [*islice(frames, size)]:
            yield torch.stack(part)

    def _frames(self, size: int) -> Iterator[Tensor]:
        for run in _runs(self.order):
            if run[0] <= run[-1]:
                yield from self._rising(run, size)
            else:
                yield from reversed([*self._rising(run[::-1], min(size, BACKWARD_BLOCK))])

    def _rising(self, run: Sequence[int], size: int) -> Iterator[Tensor]:
        """Yield the frames of a run of indices that nowhere fall."""
        first = run[0]
        if first and isinstance(self._clip, SeekableClip):
            chunks = self._clip.chunks_from(first, size)
        else:
            chunks = ClipFrom(self._clip, first).chunks(size)
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
