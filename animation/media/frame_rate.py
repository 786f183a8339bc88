"""Frame rates as exact fractions, whatever a container or a user calls them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...core.errors import InputError

FALLBACK_RATE = Fraction(25)
MAX_RATE = 100_000
_MILLISECOND = Fraction(1, 1000)
_NTSC = tuple(Fraction(nominal * 1000, 1001) for nominal in (24, 30, 48, 60, 120))


def exact_rate(fps: float | Fraction) -> Fraction:
    """Turn a rate in frames per second into a fraction: 29.97 becomes 30000/1001; a Fraction or an int is kept.

    Other floats become the nearest fraction with a denominator up to 1001. Raises InputError unless
    0 < fps <= 100,000.
    """
    if not 0 < fps <= MAX_RATE:
        raise InputError(f"fps is {fps}; it must be above 0 and at most {MAX_RATE}. Set the frame rate of the clip.")
    if isinstance(fps, Fraction | int):
        return Fraction(fps)
    nearest = min(_NTSC, key=lambda rate: abs(rate - fps))
    if abs(nearest - fps) < 0.005:
        return nearest
    return max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))


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


def even_rate(declared: Fraction | None, times: NDArray[np.int64], tick: Fraction) -> Fraction | None:
    """Find the constant rate that rising timestamps in units of `tick` seconds mean; None where they are uneven.

    Containers round times: to a tick, many to a millisecond. Tried are the declared rate, then the mean, as the usual
    rate next to it and as it is.
    """
    count = len(times)
    if count < 2:
        return declared if declared is not None and 0 < declared <= MAX_RATE else FALLBACK_RATE
    span = int(times[-1] - times[0]) * tick
    if span == 0:
        return None
    mean = (count - 1) / span
    usual = [exact_rate(float(mean)), Fraction(round(mean))] if mean <= MAX_RATE else []
    for rate in (declared, *usual, mean):
        if rate is not None and 0 < rate <= MAX_RATE and _is_even(rate, times, tick):
            return rate
    return None


def _is_even(rate: Fraction, times: NDArray[np.int64], tick: Fraction) -> bool:
    """Tell whether timestamps are those of a rate, but for rounding up or down."""
    tolerance = max(tick, min(_MILLISECOND, 1 / (4 * rate))) * rate  # in frames
    frames = (times - times[0]) * float(tick * rate) - np.arange(len(times))
    return float(np.ptp(frames)) <= float(tolerance) * 1.001 + 1e-6
