"""Times at which a clip's frames are shown, in whole ticks, exact whatever the container."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from .frame_rate import clip_rate, even_rate, exact_rate
from .timeline import VideoStamps

_FINEST = Fraction(1, 1_000_000)  # second: a finer unit of time is replaced by this one
_LONG = Fraction(3, 2)  # frames: the last one of even clips is shorter
_SEARCHED = 600  # frames that may be lost in one place


class FrameTimes:
    """Times of frames from the first one on: frame `i` is shown from `starts[i]` to `end(i)`, in ticks.

    `tick` is a tick in seconds, `rate` the frames per second: exact where frames are even, else about their mean.
    `origin` is the file's own time of the first frame, in seconds; None where there is no file.
    """

    def __init__(
        self, rate: Fraction, starts: Iterable[int], tick: Fraction, last: int, origin: Fraction | None = None
    ) -> None:
        self.rate, self.tick, self.origin = rate, tick, origin
        self._starts, self._last = array("q", starts), max(1, last)
        self._stored: array[int] | None = None  # stamps that decoded frames bear, where they can be compared

    @classmethod
    def even(cls, rate: float | Fraction, count: int = 0) -> FrameTimes:
        """Times of `count` frames at a constant rate; further frames follow at the same rate."""
        exact = exact_rate(rate)
        return cls(exact, range(count), 1 / exact, 1)

    @classmethod
    def listed(cls, starts: Sequence[int], tick: Fraction, last: int) -> FrameTimes:
        """Times of frames that appear at `starts`, in units of `tick` seconds; the last one stays for `last`."""
        stamps = array("q", starts)
        lengths = array("q", [0] * (len(stamps) - 1) + [last])
        return cls.of_file(VideoStamps(tick, stamps, stamps, lengths, 0, exact=False), None)

    @classmethod
    def of_file(cls, stamps: VideoStamps, declared: Fraction | None) -> FrameTimes:
        """Times as a file's stamps have them: even where they mean to be, for containers round them."""
        shown, tick = np.array(stamps.shown, np.int64), stamps.tick
        if len(shown) == 0 or stamps.unknown:
            count = len(shown) + stamps.unknown
            return cls.even(clip_rate(declared, [], None), count)
        origin, count = int(shown[0]) * tick, len(shown)
        rate = even_rate(declared, shown, tick)
        if rate is not None and stamps.durations[-1] * tick * rate < _LONG:  # a last frame that stays is kept, too
            times = cls(rate, range(count), 1 / rate, 1, origin)
        else:
            rate = clip_rate(declared, stamps.shown, tick)
            last = stamps.durations[-1] or int(np.median(np.diff(shown)) if count > 1 else 1 / (rate * tick))
            times = cls._uneven(rate, (shown - shown[0]).tolist(), tick, last, origin)
        times._stored = array("q", stamps.stored) if stamps.exact else None
        return times

    @classmethod
    def _uneven(cls, rate: Fraction, starts: list[int], tick: Fraction, last: int, origin: Fraction) -> FrameTimes:
        """Make each time later than the one before it, with ticks fine enough that this moves none noticeably."""
        finer = 1 if all(a < b for a, b in zip(starts, islice(starts, 1, None), strict=False)) else 1000
        unit = max(tick / finer, min(tick, _FINEST))
        scale, distinct, before = tick / unit, array("q"), -1
        for start in starts:
            before = max(round(start * scale), before + 1)
            distinct.append(before)
        return cls(rate, distinct, unit, round(last * scale), origin)

    def __len__(self) -> int:
        return len(self._starts)

    def start(self, index: int) -> int:
        """Tick at which frame `index` appears; frames beyond the last one follow as evenly as it was shown."""
        known = len(self._starts)
        if index < known:
            return self._starts[index]
        return (self._starts[-1] + self._last if known else 0) + (index - known) * self._last

    def end(self, index: int) -> int:
        """Tick at which frame `index` goes: when the next one appears."""
        return self.start(index + 1)

    def found(self, index: int, stored: int | None) -> None:
        """Take note that a frame with this stamp was decoded as number `index`: those before it were lost, if any."""
        if index >= len(self._starts):  # more than thought: frames taken for lost come out of order
            self._starts.append(self.start(index))
            self._stored = None
        stamps = self._stored
        if stamps is None or stored is None or stamps[index] == stored:
            return
        for place in range(index, min(len(stamps), index + _SEARCHED)):
            if place > index and stamps[place] == stored:
                self._lose(index, place)
                return
            if place and stamps[place - 1] == stamps[place]:
                return  # frames with one stamp, as where pieces overlap: they may come in another order

    def cut(self, count: int) -> None:
        """Forget the frames from number `count` on: they do not decode."""
        if count < len(self._starts):
            self._last = max(1, self._starts[count] - self._starts[count - 1]) if count else self._last
            del self._starts[count:]
            if self._stored is not None:
                del self._stored[count:]

    def _lose(self, start: int, stop: int) -> None:
        """Forget frames; the one before them stays as long as they would have."""
        if start == 0:
            lost = self._starts[stop]
            if self.origin is not None:
                self.origin += lost * self.tick
            self._starts = array("q", (time - lost for time in self._starts))
        del self._starts[start:stop]
        if self._stored is not None:
            del self._stored[start:stop]


@dataclass(frozen=True, slots=True)
class Slot:
    """Time in which a frame is shown, in ticks."""

    start: int
    duration: int


class Timetable:
    """Times of a clip's frames in whole ticks of `tick` seconds, so that the clip as a whole keeps its speed.

    A frame that would be shown for less than `least` ticks is prolonged, and one that is over before its turn comes
    is skipped; none is shown longer than `most`.
    """

    def __init__(self, times: FrameTimes, tick: Fraction, least: int, most: int) -> None:
        self._times, self._scale = times, times.tick / tick
        self._least, self._most = least, most
        self._frames = 0
        self._free = 0  # from this tick on
        self._delay = 0  # taken off, because a frame before was shown for as long as it can be
        self.skipped = 0  # frames without a time of their own
        self.end = 0  # of the last frame that was shown

    def next(self) -> Slot | None:
        """Give the next frame its time, or None where there is none left for it."""
        start = max(self._tick(self._times.start(self._frames)), self._free)
        end = self._tick(self._times.end(self._frames))
        self._frames += 1
        if start >= end:
            self.skipped += 1
            return None
        self.end = max(end, start + self._least)
        duration = min(max(end - start, self._least), self._most)
        self._delay += max(0, end - start - duration)
        self._free = start + self._least
        return Slot(start, duration)

    def _tick(self, time: int) -> int:
        return round(time * self._scale) - self._delay
