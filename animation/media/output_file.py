"""Media file that PyAV writes, with types on the part of PyAV that is used."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class _Container(Protocol):
    def add_stream(self, codec_name: str, rate: Fraction | int, options: dict[str, str]) -> object: ...
    def add_stream_from_template(self, template: AudioStream) -> AudioStream: ...
    def mux(self, packets: object) -> None: ...
    def close(self) -> None: ...


class _Encoder(Protocol):
    def encode(self, frame: object) -> list[Packet[Stream]]: ...


class OutputFile:
    """File of a named format with the muxer's options for it. Methods raise PyAV's FFmpegError where it refuses."""

    def __init__(self, path: Path, form: str, options: dict[str, str]) -> None:
        opened = av.open(str(path.absolute()), "w", format=form, options=options)
        self._container = cast("_Container", opened)

    def add_video(self, codec: str, rate: Fraction, options: dict[str, str]) -> VideoStream:
        """Add a video stream of `rate` frames per second, encoded with `codec`."""
        return cast("VideoStream", self._container.add_stream(codec, rate=rate, options=options))

    def add_audio(self, codec: str, rate: int) -> AudioStream:
        """Add an audio stream of `rate` samples per second, encoded with `codec`."""
        return cast("AudioStream", self._container.add_stream(codec, rate=rate, options={}))

    def add_copy(self, source: AudioStream) -> AudioStream:
        """Add an audio stream that takes over the packets of `source`."""
        return self._container.add_stream_from_template(source)

    def encode(
        self,
        stream: VideoStream | AudioStream,
        frame: VideoFrame | AudioFrame | None,
        durations: dict[int, int] | None = None,
    ) -> None:
        """Encode a frame, or with None all that the encoder holds back, and write what comes out.

        `durations`, by time stamps and in units of the stream's time base, are taken out for the frames written; for
        encoders that know none.
        """
        for packet in cast("_Encoder", stream).encode(frame):
            if durations and packet.pts is not None:
                packet.duration = durations.pop(packet.pts, packet.duration or 0)
            self._container.mux(packet)

    def mux(self, packet: object) -> None:
        """Write an encoded packet whose stream is one of this file's."""
        self._container.mux(packet)

    def close(self) -> None:
        """Write the index and close the file."""
        self._container.close()

    def abandon(self) -> None:
        """Close the file in whatever state it is; after `close`, do nothing."""
        with contextlib.suppress(FFmpegError):
            self._container.close()
