"""The mp4 container being written, with types on the part of PyAV that is used."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class _Container(Protocol):
    def add_stream(self, codec_name: str, rate: Fraction | int, options: dict[str, str]) -> object: ...
    def add_stream_from_template(self, template: AudioStream) -> AudioStream: ...
    def mux(self, packets: object) -> None: ...
    def close(self) -> None: ...


class _Encoder(Protocol):
    def encode(self, frame: object) -> object: ...


class Mp4Output:
    """An mp4 file with its index in front ("faststart"). Methods raise PyAV's FFmpegError where it refuses."""

    def __init__(self, path: Path) -> None:
        opened = av.open(str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"})
        self._container = cast("_Container", opened)

    def add_video(self, codec: str, rate: Fraction, options: dict[str, str]) -> VideoStream:
        """A video stream of `rate` frames per second, encoded with `codec`."""
        return cast("VideoStream", self._container.add_stream(codec, rate=rate, options=options))

    def add_audio(self, codec: str, rate: int) -> AudioStream:
        """An audio stream of `rate` samples per second, encoded with `codec`."""
        return cast("AudioStream", self._container.add_stream(codec, rate=rate, options={}))

    def add_copy(self, source: AudioStream) -> AudioStream:
        """An audio stream that takes over the packets of `source`."""
        return self._container.add_stream_from_template(source)

    def encode(self, stream: VideoStream | AudioStream, frame: VideoFrame | AudioFrame | None) -> None:
        """Encode a frame, or with None all that the encoder holds back, and write what comes out."""
        self._container.mux(cast("_Encoder", stream).encode(frame))

    def mux(self, packet: object) -> None:
        """Write an encoded packet whose stream is one of this file's."""
        self._container.mux(packet)

    def close(self) -> None:
        """Write the index and close the file."""
        self._container.close()

    def abandon(self) -> None:
        """Close the file in whatever state it is; nothing happens after `close`."""
        with contextlib.suppress(FFmpegError):
            self._container.close()
