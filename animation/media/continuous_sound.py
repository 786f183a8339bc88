"""Decoded sound on one time line: gaps become silence, overlaps are trimmed, changed parameters are converted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]  # (channels, samples)
_JITTER: Final = 0.01  # seconds by which time stamps are off for no other reason than rounding
_AHEAD: Final = Fraction(
    2, 5
)  # seconds over which a shift must last: some containers guess stamps, and then correct them
_SILENCE: Final = 48000  # samples of it at a time

TimedFrame: TypeAlias = tuple[Fraction | None, AudioFrame]


def continuous(
    frames: Iterator[TimedFrame], rate: int, layout: str, longest_gap: Fraction | None = None
) -> Iterator[Samples]:
    """Yield the sound of decoded frames from time 0 on without a break, at `rate` Hz and in `layout`.

    Each frame comes with its time in seconds, or None where it follows the one before. What lies before 0 is left out;
    a gap longer than `longest_gap` is a damaged time stamp, and none.
    """
    converter: _Converter | None = None
    trimmed = 0.0  # seconds still to be left out
    for gap, frame in _with_gaps(frames):
        if converter is None or not converter.takes(frame):
            if converter is not None:
                yield from converter.rest()
            converter = _Converter(frame, rate, layout)
        samples, trimmed = converter.to_float(frame), trimmed - gap
        if trimmed < 0 and (longest_gap is None or -trimmed <= longest_gap):
            yield from converter.silence(round(-trimmed * frame.rate))
        trimmed = max(trimmed, 0)
        skipped = min(round(trimmed * frame.rate), samples.shape[1])
        if skipped < samples.shape[1]:
            yield from converter(samples[:, skipped:])
        trimmed = trimmed - skipped / frame.rate if skipped == samples.shape[1] else 0
    if converter is not None:
        yield from converter.rest()


def _with_gaps(frames: Iterator[TimedFrame]) -> Iterator[tuple[float, AudioFrame]]:
    """Yield each frame with the seconds by which it is late (or early, if negative) after the one before it.

    Single stamps are not believed: a shift counts if it is in all stamps for a while, and by as much as in all of them.
    """
    ahead: deque[tuple[float | None, Fraction, AudioFrame]] = deque()  # start less sound before it, that, frame
    length, applied, begun = Fraction(0), 0.0, False
    for time, frame in frames:
        ahead.append((None if time is None else float(time - length), length, frame))
        length += Fraction(frame.samples, frame.rate)
        while length - ahead[0][1] > _AHEAD:
            gap = _shift(ahead, applied, _JITTER if begun else 0)
            begun, applied = True, applied + gap
            yield gap, ahead.popleft()[2]
    while ahead:
        gap = _shift(ahead, applied, _JITTER if begun else 0)
        begun, applied = True, applied + gap
        yield gap, ahead.popleft()[2]


def _shift(ahead: deque[tuple[float | None, Fraction, AudioFrame]], applied: float, least: float) -> float:
    """Find the seconds by which the next frames are all late, or all early, if that is more than `least`."""
    late = [base - applied for base, *_ in ahead if base is not None]
    if ahead[0][0] is None or not late:
        return 0
    smallest, largest = min(late), max(late)
    return smallest if smallest > least else largest if largest < -least else 0


class _Converter:
    """Converter of frames with the same parameters as a first one to another rate and layout."""

    def __init__(self, first: AudioFrame, rate: int, layout: str) -> None:
        self._source = first.rate, first.layout.name, first.format.name
        self._channels = len(first.layout.channels)
        self._to_planes = AudioResampler(format="fltp")
        self._to_target = AudioResampler(format="fltp", layout=layout, rate=rate)

    def takes(self, frame: AudioFrame) -> bool:
        """Tell whether a frame has the parameters of the first."""
        return self._source == (frame.rate, frame.layout.name, frame.format.name)

    def to_float(self, frame: AudioFrame) -> Samples:
        """Turn a frame into floats at its own rate and layout."""
        frame.pts = None
        parts = [np.asarray(part.to_ndarray(), np.float32) for part in self._to_planes.resample(frame)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((self._channels, 0), np.float32)

    def __call__(self, samples: Samples) -> Iterator[Samples]:
        """Convert samples; the last ones are held back."""
        rate, layout, _ = self._source
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.rate = rate
        yield from self._converted(frame)

    def silence(self, count: int) -> Iterator[Samples]:
        """Convert `count` samples of silence, little by little."""
        for start in range(0, count, _SILENCE):
            yield from self(np.zeros((self._channels, min(_SILENCE, count - start)), np.float32))

    def rest(self) -> Iterator[Samples]:
        """Convert what is held back."""
        yield from self._converted(None)

    def _converted(self, frame: AudioFrame | None) -> Iterator[Samples]:
        for part in self._to_target.resample(frame):
            yield np.asarray(part.to_ndarray(), np.float32)
