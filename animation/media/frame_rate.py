"""Frame rates as exact fractions, whatever a container or a user calls them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ...core.errors import InputError

FALLBACK_RATE = Fraction(25)
MAX_RATE = 1000
_NTSC = tuple(Fraction(nominal * 1000, 1001) for nominal in (24, 30, 48, 60, 120))


def exact_rate(fps: float | Fraction) -> Fraction:
    """Turn a rate in frames per second into a fraction: 29.97 becomes 30000/1001; a Fraction or an int is kept.

    Other floats become the nearest fraction with a denominator up to 1001. Raises InputError unless
    0 < fps <= 1000.
    """
    if not 0 < fps <= MAX_RATE:
        raise InputError(f"fps is {fps}; it must be above 0 and at most {MAX_RATE}. Set the frame rate of the clip.")
    if isinstance(fps, Fraction | int):
        return Fraction(fps)
    nearest = min(_NTSC, key=lambda rate: abs(rate - fps))
    if abs(nearest - fps) < 0.005:
        return nearest
    return max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))


@dataclass(frozen=True, slots=True)
class Slot:
    """Time in which a frame is shown, in ticks."""

    start: int
    duration: int


class Timetable:
    """Times of a clip's frames in whole ticks of `tick` seconds, spread so that the clip as a whole keeps its speed.

    A frame that would be shown for less than `least` ticks is prolonged, and one that is over before its turn comes
    is skipped.
    """

    def __init__(self, fps: Fraction, tick: Fraction, least: int) -> None:
        self._step = 1 / (fps * tick)  # ticks per frame
        self._least = least
        self._frames = 0
        self._free = 0  # from this tick on
        self.skipped = 0  # frames without a time of their own

    def next(self) -> Slot | None:
        """Give the next frame its time, or None where there is none left for it."""
        start = max(round(self._frames * self._step), self._free)
        self._frames += 1
        end = round(self._frames * self._step)
        if start >= end:
            self.skipped += 1
            return None
        self._free = start + self._least
        return Slot(start, max(end - start, self._least))


def clip_rate(declared: Fraction | None, times: Sequence[int], time_base: Fraction | None) -> Fraction:
    """Find the rate that plays a file's frames in the file's own time.

    `declared` is what the container says, `times` the frames' timestamps in units of `time_base` seconds.
    The declared rate stands where the timestamps bear it out; otherwise (variable rate, browser recordings,
    damaged headers) their mean does. Without either it is 25.
    """
    sane = declared if declared is not None and 0 < declared <= MAX_RATE else None
    tick, times = time_base or Fraction(0), sorted(times)
    span = (times[-1] - times[0]) * tick if times else Fraction(0)
    if span * MAX_RATE < len(times) - 1 or span == 0:
        return sane or FALLBACK_RATE
    if sane is not None and _bears_out(sane, times, tick):
        return sane
    return exact_rate(float((len(times) - 1) / span))


def _bears_out(rate: Fraction, times: Sequence[int], tick: Fraction) -> bool:
    """Tell whether rising timestamps agree with a rate: to 2 % of their span, or evenly but for four missing frames.

    The latter because a truncated file lacks some near its end.
    """
    gaps = sorted(after - before for before, after in pairwise(times))
    tolerance = Fraction(len(times), 50)  # in frames, as what follows
    excess = abs((times[-1] - times[0]) * tick * rate - len(gaps))
    holes = [gap for gap in gaps if gap * tick * rate > Fraction(3, 2)]
    missing = sum(holes) * tick * rate - len(holes)
    even = abs(gaps[len(gaps) // 2] * tick - 1 / rate) <= tick
    return excess <= tolerance or (even and excess <= 4 and abs(excess - missing) <= tolerance)
