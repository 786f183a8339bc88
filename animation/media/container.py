"""Opening of media files with PyAV, and walks through their packets whether or not the file is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar, cast

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...core.errors import MediaError

# Playlists and scripts (HLS, concat, SDP) would make FFmpeg open other files or addresses: they are not listed.
_DEMUXERS = "mov,matroska,gif,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,apng,mxf,wav,mp3,flac,aac,ac3,m4v,h264,hevc"
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _DEMUXERS}


StreamT = TypeVar("StreamT", bound=Stream)


def open_media(path: Path) -> InputContainer:
    """Open a local video or audio file; MediaError where it is missing or not one of the formats read."""
    if not path.is_file():
        raise MediaError(f"{path} is not there or not a file; a video file was wanted. Check the path.")
    # As PyAV itself begins. Older torchvision switches FFmpeg's messages on: they wait for Python's lock, held by
    # whoever closes a file, who waits for the decoder's threads, which write the messages.
    av.logging.set_level(None)
    try:
        return av.open(str(path.absolute()), "r", options=dict(_OPTIONS))
    except (FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(
            f"{path} cannot be read as a video ({reason}); mp4, mov, webm, mkv or gif was wanted. "
            "Check that the file is complete, or convert it."
        ) from error


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Find the first video stream that is not a cover picture; MediaError where there is none that can be decoded."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if not has_decoder(stream):
                break
            return stream
    raise MediaError(f"{path} has no video stream that can be decoded; one was wanted. Choose another file.")


def has_decoder(stream: Stream) -> bool:
    """Tell whether this build of FFmpeg decodes the stream; PyAV leaves its codec context empty otherwise."""
    return bool(stream.codec_context)


def packets(container: InputContainer, stream: StreamT) -> Iterator[Packet[StreamT]]:
    """Read the packets of a stream, closed by empty ones that flush its decoder.

    Ends at the first place where the file can be read no further, as at the end of a complete file.
    """
    try:
        yield from cast("Iterator[Packet[StreamT]]", container.demux(stream))
    except FFmpegError:
        flush = cast("Packet[StreamT]", Packet())
        flush.stream = stream
        yield flush


def shown_stamps(container: InputContainer, stream: VideoStream) -> list[int | None]:
    """Read the timestamps of the packets that hold a frame to be shown, without decoding."""
    hides = stream.codec.canonical_name == "vp8"  # its reference frames may be hidden: bit 4 (RFC 6386, 9.1)
    return [
        packet.dts if packet.pts is None else packet.pts
        for packet in packets(container, stream)
        if packet.size and not packet.is_discard and not (hides and not bytes(packet)[0] & 0x10)
    ]


def decoded(path: Path, threads: Literal["AUTO", "SLICE"], seek_to: int | None = None) -> Iterator[VideoFrame]:
    """Decode the frames of a video once, in the order they are shown.

    It starts at the keyframe at or before the timestamp `seek_to`. A damaged packet raises FFmpegError with
    AUTO threads, because frames in other threads are lost with it, and is skipped with SLICE.
    """
    with contextlib.closing(open_media(path)) as container:
        stream = video_stream(container, path)
        stream.thread_type = threads
        if seek_to is not None:
            with contextlib.suppress(FFmpegError):  # then it starts at the first frame
                container.seek(seek_to, stream=stream)
        for packet in packets(container, stream):
            try:
                yield from packet.decode()
            except FFmpegError:
                if threads == "AUTO":
                    raise
