"""Two ways for audio packets into an mp4: as they are, or encoded anew."""

from __future__ import annotations

import logging
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from .mp4_output import Mp4Output

_log = logging.getLogger(__name__)
_MP4_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_MP3_LOWEST_RATE = 16000  # below it mp4 has no standard way to hold mp3


def can_copy(stream: AudioStream) -> bool:
    """Whether mp4 holds the stream's codec as it is."""
    name = stream.codec.canonical_name
    return name in _MP4_CODECS and not (name == "mp3" and stream.rate < _MP3_LOWEST_RATE)


class CopiedTrack:
    """Packets shifted in time and otherwise untouched."""

    def __init__(self, output: Mp4Output, source: AudioStream) -> None:
        self._output = output
        self._stream = output.add_copy(source)

    def write(self, packet: Packet[AudioStream], time: Fraction) -> None:
        """Mux a packet that starts at `time` seconds of the output."""
        stamp = round(time / packet.time_base)
        packet.pts = packet.dts = stamp  # audio packets are stored in the order they are heard
        packet.stream = self._stream
        self._output.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class EncodedTrack:
    """Packets decoded and encoded as AAC: mono or stereo, at the source's rate where AAC has it, else 48 kHz."""

    def __init__(self, output: Mp4Output, source: AudioStream) -> None:
        self._output = output
        rate = source.rate if source.rate in _AAC_RATES else 48000
        layout = "mono" if source.channels == 1 else "stereo"
        self._stream = output.add_audio("aac", rate)
        self._stream.layout = layout
        self._stream.bit_rate = 96_000 if layout == "mono" else 192_000
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        self._samples: int | None = None  # written so far, counted from time 0
        self._damaged = 0  # packets that did not decode

    def write(self, packet: Packet[AudioStream], time: Fraction) -> None:
        """Encode a packet that starts at `time` seconds of the output; one that does not decode is left out."""
        try:
            frames = packet.decode()
        except FFmpegError:
            self._damaged += 1
            return
        if self._samples is None:
            self._samples = max(0, round(time * self._stream.rate))
        for frame in frames:
            frame.pts = None
            self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        """Encode what resampler and encoder still hold, and say what was lost."""
        self._encode(self._resampler.resample(None))
        self._output.encode(self._stream, None)
        if self._damaged:
            _log.warning("packets of sound that did not decode and are left out: %d", self._damaged)

    def _encode(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            frame.pts, frame.time_base = self._samples, Fraction(1, self._stream.rate)
            self._samples = (self._samples or 0) + frame.samples
            self._output.encode(self._stream, frame)
