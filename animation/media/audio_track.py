"""Sound tracks of a video that is being written: copied, or encoded anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from .continuous_sound import Samples, continuous
from .output_file import OutputFile
from .output_format import OutputFormat

_LEAST_STEP: Final = Fraction(1, 1000)  # second between packets
_PRIMING: Final = Fraction(1, 10)  # seconds before the first frame that codecs need to warm up; players skip them

TimedPackets: TypeAlias = "Iterator[tuple[Fraction, Packet[AudioStream]]]"


class CopiedTrack:
    """Sound track of packets shifted in time and otherwise untouched."""

    def __init__(self, output: OutputFile, source: AudioStream, read: Callable[[Fraction], TimedPackets]) -> None:
        self._output = output
        self._stream = output.add_copy(source)
        self._pending = read(_PRIMING)
        self._next = next(self._pending, None)
        self._earliest = -_PRIMING  # seconds at which the next packet may begin
        self.silent = self._next is None

    def advance(self, until: Fraction) -> None:
        """Mux all packets that start before `until` seconds."""
        while self._next is not None and self._next[0] < until:
            time, packet = self._next
            length = (packet.duration or 0) * packet.time_base
            if time >= self._earliest:  # else it is heard already, as where pieces overlap
                self._earliest = time + max(length / 2, _LEAST_STEP)
                packet.pts = packet.dts = round(
                    time / packet.time_base
                )  # packets are stored in the order they are heard
                packet.stream = self._stream
                self._output.mux(packet)
            self._next = next(self._pending, None)

    def finish(self) -> None:
        """Do nothing: no packet is held back."""


class EncodedTrack:
    """Sound track encoded anew, in mono or stereo, at the source's rate where the codec has it."""

    def __init__(
        self,
        output: OutputFile,
        form: OutputFormat,
        source: AudioStream,
        frames: Iterator[tuple[Fraction | None, AudioFrame]],
    ) -> None:
        self._output = output
        self._rate = source.rate if source.rate in form.rates else form.rates[-1]
        self._layout = "mono" if source.channels == 1 else "stereo"
        self._stream = output.add_audio(form.sound, self._rate)
        self._stream.layout = self._layout
        self._stream.bit_rate = 96_000 if self._layout == "mono" else 192_000
        self._sound = continuous(frames, self._rate, self._layout)
        self._next: Samples | None = next(self._sound, None)
        self._written = 0  # samples
        self.silent = self._next is None

    def advance(self, until: Fraction) -> None:
        """Encode the samples before `until` seconds."""
        end = round(until * self._rate)
        while self._next is not None and self._written < end:
            room = end - self._written
            rest = self._next[:, room:]
            self._encode(self._next[:, :room])
            self._next = rest if rest.shape[1] else next(self._sound, None)

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        self._output.encode(self._stream, None)

    def _encode(self, samples: Samples) -> None:
        if not samples.shape[1]:
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.rate = self._rate
        frame.pts, frame.time_base = self._written, Fraction(1, self._rate)
        self._written += samples.shape[1]
        self._output.encode(self._stream, frame)
