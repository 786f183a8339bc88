"""Single frames of long videos, decoded from the keyframe before them in a file that stays open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from av.error import FFmpegError
from av.video.frame import VideoFrame
from torch import Tensor

from ...animation.frames import without_alpha
from ...animation.media.colour import RgbConverter
from ...animation.media.container import open_media, packets, video_stream
from ...animation.media.orientation import orientation_of
from ...animation.media.reader import SEEKABLE
from ...animation.media.timeline import scan_media
from ...core.errors import MediaError


def seekable_stamps(path: Path) -> list[int] | None:
    """List the stamps of a video's frames, if each frame can be found by its own; None for another kind of file.

    Raises MediaError for a file that is no video.
    """
    if path.suffix.lower() == ".webp":
        return None  # FFmpeg reads none
    with contextlib.closing(open_media(path)) as container:
        if video_stream(container, path).codec.canonical_name not in SEEKABLE:
            return None
    stamps = scan_media(path).video
    if stamps is None or not stamps.exact or not len(stamps.stored):
        return None
    listed = stamps.stored.tolist()
    return listed if all(before < after for before, after in pairwise(listed)) else None


class SeekingDecoder:
    """Decoder of single frames of a video, uint8 RGB (H, W, 3), upright; `stamps` are those of its frames.

    It runs in one thread, as worker processes do the work of many. Raises MediaError for a frame that is not found.
    """

    def __init__(self, path: Path, stamps: Sequence[int]) -> None:
        self._path, self._stamps = path, stamps
        self._container = open_media(path)
        self._stream = video_stream(self._container, path)
        self._stream.codec_context.thread_count = 1
        self._ahead: Iterator[VideoFrame] = iter(())
        self._reached: int | None = None  # number of the frame that was decoded last
        self._convert: RgbConverter | None = None

    def __len__(self) -> int:
        return len(self._stamps)

    def frame(self, index: int) -> Tensor:
        """Decode a frame, going on from the last one where that is the one before it."""
        stamp = self._stamps[index]
        if self._reached != index - 1:
            self._ahead = self._decoded(stamp)
        self._reached = None
        try:
            found = next((frame for frame in self._ahead if frame.pts is not None and frame.pts >= stamp), None)
        except FFmpegError as error:
            raise self._lost(index) from error
        if found is None or found.pts != stamp:
            raise self._lost(index)
        self._reached = index
        return self._picture(found)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decoded(self, stamp: int) -> Iterator[VideoFrame]:
        """Decode from the keyframe at or before a stamp."""
        self._container.seek(stamp, stream=self._stream)
        for packet in packets(self._container, self._stream):
            yield from packet.decode()

    def _picture(self, frame: VideoFrame) -> Tensor:
        if self._convert is None:
            self._convert = RgbConverter(frame.width, frame.height)
        return orientation_of(frame).upright(without_alpha(self._convert(frame)))

    def _lost(self, index: int) -> MediaError:
        return MediaError(f"frame {index} of {self._path} does not decode; the file is damaged. Export it anew.")
