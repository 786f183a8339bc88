"""The sound of one file, carried into a video that is being written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.packet import Packet

from ...core.errors import MediaError
from .audio_tracks import CopiedTrack, EncodedTrack, can_copy
from .container import has_decoder, open_media, packets
from .mp4_output import Mp4Output

_log = logging.getLogger(__name__)
_PRIMING = Fraction(1, 10)  # seconds before the first frame that codecs need to warm up; players skip them


class AudioFeed:
    """The first audio track of a file, fed in step with the picture so that the muxer holds back little.

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
        """Whether the file has an audio track."""
        return self._stream is not None

    def attach(self, output: Mp4Output) -> None:
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
        """Where the output's time 0 lies in the file, in seconds."""
        for stream in (*self._input.streams.video, audio):
            if stream.start_time is not None and stream.time_base is not None:
                return stream.start_time * stream.time_base
        return Fraction(0)

    def _timed(self, stream: AudioStream) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
        """The packets from just before time 0 on, each with its start in seconds."""
        origin = self._origin(stream)
        for packet in packets(self._input, stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            if not packet.size or stamp is None:
                continue
            time = stamp * packet.time_base - origin
            if time >= -_PRIMING:
                yield time, packet
