"""Writers of animated pictures: GIF and WebP, which play without end and hold no sound."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
from av.error import BlockingIOError as NotYetError
from av.error import EOFError as DrainedError
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ...core.atomic_file import AtomicFile
from ...core.errors import MediaError
from .frame_times import FrameTimes, Timetable
from .frame_writer import FrameWriter
from .output_file import OutputFile
from .video_track import has_encoder
from .webp_clip import frame_durations

_log = logging.getLogger(__name__)


class AnimatedPicture(FrameWriter):
    """Writer of an animated picture, encoded frame by frame; see `FrameWriter`.

    A kind says its container, its codec with options, and the pixels that it encodes; `tick` is its unit of time in
    seconds, `least` how many of them viewers show a frame at least: a shorter one they take for one of a tenth of a
    second; `most` is as many as can be stored. A clip that is faster loses frames, not time.
    """

    form: ClassVar[str]
    codec: ClassVar[str]
    options: ClassVar[dict[str, str]] = {}
    pixels: ClassVar[str]
    tick: ClassVar[Fraction]
    least: ClassVar[int]
    most: ClassVar[int]

    def __init__(self, path: str | Path, times: float | Fraction | FrameTimes) -> None:
        super().__init__(path, times)
        if not has_encoder(self.codec):
            raise MediaError(f"{path} cannot be written: this build of PyAV lacks {self.codec}. Write an mp4 instead.")
        self._file = AtomicFile(self.path)
        self._times = Timetable(self.times, self.tick, self.least, self.most)
        self._shown: dict[
            int, int
        ] = {}  # durations of frames on their way through the encoder, by their start, in ticks
        self._output: OutputFile | None = None
        self._stream: VideoStream | None = None

    def _begin(self) -> None:
        self._output = OutputFile(self._file.part, self.form, {"loop": "0"})  # without end

    def _add(self, picture: NDArray[np.uint8]) -> None:
        slot = self._times.next()
        if slot is None:
            return
        frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgra")
        frame.pts, frame.time_base = slot.start, self.tick
        self._shown[slot.start] = slot.duration
        self._encode(self._prepared(frame))

    def _prepared(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Turn a frame (bgra) into those to encode; None asks for what was held back."""
        if frame is not None:
            yield frame

    def _encode(self, frames: Iterator[VideoFrame]) -> None:
        assert self._output is not None  # it is open as long as frames are taken
        for frame in frames:
            if self._stream is None:
                self._stream = self._output.add_video(self.codec, 1 / self.tick, self.options)
                self._stream.width, self._stream.height = frame.width, frame.height
                self._stream.pix_fmt = self.pixels
                self._stream.codec_context.time_base = self.tick
            self._output.encode(self._stream, frame, self._shown)

    def _finish(self) -> None:
        self._encode(self._prepared(None))
        assert self._output is not None and self._stream is not None  # frames were written
        self._output.encode(self._stream, None, self._shown)
        self._output.close()
        self._output = None  # before the rename: on some systems an open file cannot be replaced
        self._complete()
        self._file.commit()
        if self._times.skipped:
            _log.info(
                "%s shows %d of %d frames: its format holds at most %d per second",
                self.path, self.written - self._times.skipped, self.written, 1 / (self.least * self.tick),
            )  # fmt: skip

    def _complete(self) -> None:
        """Mend the closed file where the encoder left something out; by default nothing."""

    def _discard(self) -> None:
        if self._output is not None:
            self._output.abandon()
        self._output = None
        self._file.discard()


class GifWriter(AnimatedPicture):
    """Writer of a GIF in flat memory: a palette of 255 colours of its own for every frame, lightly dithered.

    Delays are whole hundredths of a second, spread so that no frame is more than half of one early or late. Dithering
    is by a fixed pattern, because errors that are carried on from pixel to pixel flicker.
    """

    form, codec, pixels = "gif", "gif", "pal8"
    # Without what the encoder knows to save space: it takes frames for equal whose palettes differ.
    options: ClassVar[dict[str, str]] = {"gifflags": "-offsetting-transdiff"}
    tick, least, most = Fraction(1, 100), 2, 2**16 - 1

    def __init__(self, path: str | Path, times: float | Fraction | FrameTimes) -> None:
        super().__init__(path, times)
        self._graph: Graph | None = None

    def _prepared(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        if self._graph is None:
            assert frame is not None  # there is a first frame
            self._graph = _palette_graph(frame)
        self._graph.vpush(frame)
        try:
            while True:
                yield self._graph.vpull()
        except (NotYetError, DrainedError):
            return


class WebpWriter(AnimatedPicture):
    """Writer of an animated WebP, lossy at quality 90; memory grows by the encoded file alone.

    Times are whole milliseconds. A frame that equals the one before prolongs it, and one frame alone makes a still
    picture.
    """

    form, codec, pixels = "webp", "libwebp_anim", "bgra"
    options: ClassVar[dict[str, str]] = {"quality": "90", "compression_level": "2"}
    tick, least, most = Fraction(1, 1000), 11, 2**24 - 1

    def _complete(self) -> None:
        """Let the last frame stay until the clip ends: libwebp gives it the mean of the others' durations."""
        frames = list(frame_durations(self._file.part.read_bytes()))
        if not frames:
            return
        place, _ = frames[-1]
        rest = self._times.end - sum(duration for _, duration in frames[:-1])
        with self._file.part.open("r+b") as file:
            file.seek(place)
            file.write(min(max(rest, self.least), self.most).to_bytes(3, "little"))


def _palette_graph(frame: VideoFrame) -> Graph:
    """Build the filters that choose a palette for each frame (bgra) of this size, and paint the frame in it."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=VideoFormat("bgra"), time_base=frame.time_base
    )
    twice, choose = graph.add("split"), graph.add("palettegen", "stats_mode=single")
    paint, sink = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=5"), graph.add("buffersink")
    source.link_to(twice)
    twice.link_to(paint, 0, 0)
    twice.link_to(choose, 1, 0)
    choose.link_to(paint, 0, 1)
    paint.link_to(sink)
    graph.configure()
    return graph
