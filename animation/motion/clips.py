"""Driving clips played back and forth, started later, read ahead and counted, where they may be motion alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from ...core.types import Clip
from ..faces.clips import ShiftedClip
from ..media.clip import FileClip, TimedClip
from ..media.frame_times import FrameTimes
from ..media.prefetch import PrefetchedClip
from ..moving import OrderedClip
from .track import MotionTrack


def back_and_forth(frames: int) -> list[int]:
    """List the frames of a clip of `frames` forward, then back, with neither end twice, so that it can be repeated."""
    return [*range(frames), *range(frames - 2, 0, -1)]


class PingPongClip(TimedClip, OrderedClip):
    """Clip of a file played forward and then back, in flat memory: few frames are held, and those before read again.

    Its sound is the file's, unchanged.
    """

    def __init__(self, clip: FileClip) -> None:
        order = back_and_forth(len(clip))
        OrderedClip.__init__(self, clip, order)
        self.path, self._file = clip.path, clip
        self.times = _mirrored(clip.times, order)

    @property
    def sound(self) -> Path | None:
        """File whose sound belongs to the clip."""
        return self._file.sound


def _mirrored(times: FrameTimes, order: list[int]) -> FrameTimes:
    """Show every frame as long on its way back as on its way there."""
    starts, now = list[int](), 0
    for index in order:
        starts.append(now)
        now += times.end(index) - times.start(index)
    return FrameTimes(times.rate, starts, times.tick, now - starts[-1], times.origin)


def ping_pong(clip: FileClip) -> FileClip:
    """Play a clip forward and then back."""
    if isinstance(clip, MotionTrack):
        return clip.in_order(back_and_forth(len(clip)))
    return PingPongClip(clip)


def shifted(clip: Clip, start: int, count: int, step: float = 1.0) -> Clip:
    """Return `count` frames of a clip from `start` on; see `ShiftedClip`."""
    moved = ShiftedClip(clip, start, count, step)
    return clip.in_order(moved.order) if isinstance(clip, MotionTrack) else moved


def prefetched(clip: Clip) -> Clip:
    """Have the frames of a clip read while the ones before them are in use; motion is there already."""
    return clip if isinstance(clip, MotionTrack) else PrefetchedClip(clip)


class CountedClip:
    """Clip that reports how many of its frames have been read in a pass, and how many there are."""

    def __init__(self, clip: Clip, progress: Callable[[int, int], None]) -> None:
        self._clip, self._progress = clip, progress

    def __len__(self) -> int:
        return len(self._clip)

    def frame(self, index: int) -> Tensor:
        """Return one frame as (1, H, W, C)."""
        return self._clip.frame(index)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time."""
        done = 0
        for chunk in self._clip.chunks(size):
            yield chunk
            done += len(chunk)
            self._progress(done, len(self._clip))
