"""Sound of one file: carried into a video that is being written, or read into memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import torch
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from torch import Tensor

from ...core.errors import MediaError
from .container import has_decoder, open_media, packets
from .output_file import OutputFile

_log = logging.getLogger(__name__)
_MP4_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_MP3_LOWEST_RATE = 16000  # below it mp4 has no standard way to hold mp3
_PRIMING = Fraction(1, 10)  # seconds before the first frame that codecs need to warm up; players skip them


def read_sound(path: Path) -> tuple[Tensor, int] | None:
    """Read the first sound track as samples (C, T) in [-1, 1] and their rate in Hz; None for a silent file."""
    with closing(open_media(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        to_planes = av.AudioResampler(format="fltp")
        parts = [
            torch.as_tensor(part.to_ndarray())
            for frame in container.decode(stream)
            for part in to_planes.resample(frame)
        ]
        return torch.cat(parts, dim=1), stream.rate


def has_sound(path: Path) -> bool:
    """Tell whether a file has an audio track."""
    with closing(open_media(path)) as container:
        return bool(container.streams.audio)


class AudioFeed:
    """Feed of a file's first audio track, in step with the picture so that the muxer holds back little.

    Copied where mp4 can hold its codec, else encoded as AAC. Time 0 is the file's first video frame, or the
    start of the sound in a file without video. Raises MediaError for a track that can be neither copied nor
    decoded; in a file without audio, `present` is False and nothing is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._input = open_media(path)
        try:
            self._stream = self._first_track()
        except MediaError:
            self._input.close()
            raise
        self._track: CopiedTrack | EncodedTrack | None = None
        self._pending: Iterator[tuple[Fraction, Packet[AudioStream]]] = iter(())
        self._next: tuple[Fraction, Packet[AudioStream]] | None = None

    @property
    def present(self) -> bool:
        """Tell whether the file has an audio track."""
        return self._stream is not None

    def attach(self, output: OutputFile) -> None:
        """Add the audio stream to a container whose header is not written yet."""
        if self._stream is None:
            return
        track = CopiedTrack if can_copy(self._stream) else EncodedTrack
        self._track = track(output, self._stream)
        self._pending = self._timed(self._stream)
        self._next = next(self._pending, None)
        if self._next is None:
            _log.warning("the audio track of %s holds no sound that can be read; the video is silent", self._path)

    def advance(self, until: Fraction) -> None:
        """Write all packets that start before `until` seconds."""
        while self._track is not None and self._next is not None and self._next[0] < until:
            time, packet = self._next
            self._track.write(packet, time)
            self._next = next(self._pending, None)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._track is not None:
            self._track.finish()

    def close(self) -> None:
        """Let go of the source file."""
        self._input.close()

    def _first_track(self) -> AudioStream | None:
        stream = next(iter(self._input.streams.audio), None)
        if stream is not None and not has_decoder(stream):
            raise MediaError(
                f"the audio of {self._path} is in a codec that can be neither copied nor decoded; aac, mp3 or opus "
                "would do. Convert it, or save without audio."
            )
        return stream

    def _origin(self, audio: AudioStream) -> Fraction:
        """Find the file's own time, in seconds, at which the output begins."""
        for stream in (*self._input.streams.video, audio):
            if stream.start_time is not None and stream.time_base is not None:
                return stream.start_time * stream.time_base
        return Fraction(0)

    def _timed(self, stream: AudioStream) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
        """Read the packets from just before time 0 on, each with its start in seconds."""
        origin = self._origin(stream)
        for packet in packets(self._input, stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            if not packet.size or stamp is None:
                continue
            time = stamp * packet.time_base - origin
            if time >= -_PRIMING:
                yield time, packet


def can_copy(stream: AudioStream) -> bool:
    """Tell whether mp4 holds the stream's codec as it is."""
    name = stream.codec.canonical_name
    return name in _MP4_CODECS and not (name == "mp3" and stream.rate < _MP3_LOWEST_RATE)


class CopiedTrack:
    """Audio track of packets shifted in time and otherwise untouched."""

    def __init__(self, output: OutputFile, source: AudioStream) -> None:
        self._output = output
        self._stream = output.add_copy(source)

    def write(self, packet: Packet[AudioStream], time: Fraction) -> None:
        """Mux a packet that starts at `time` seconds of the output."""
        stamp = round(time / packet.time_base)
        packet.pts = packet.dts = stamp  # audio packets are stored in the order they are heard
        packet.stream = self._stream
        self._output.mux(packet)

    def finish(self) -> None:
        """Do nothing: no packet is held back."""


class EncodedTrack:
    """Audio track encoded anew as AAC: mono or stereo, at the source's rate where AAC has it, else 48 kHz."""

    def __init__(self, output: OutputFile, source: AudioStream) -> None:
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
