"""Encoding of pictures for a video."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from .colour import to_yuv420
from .frame_times import FrameTimes
from .output_file import OutputFile

_log = logging.getLogger(__name__)
_BT709: Final = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
_VP9_SPEED: Final = {"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"}
_IN_ORDER: Final = {"bf": "0"}  # decoded as they are shown: else the index of an mp4 misses the last durations


class VideoTrack:
    """Track of pictures of one size (H, W) in yuv420p, BT.709: H.264 or VP9, or MPEG-4 part 2 where PyAV lacks libx264.

    Every picture keeps its time, and the last one the time that it is shown for. `quality` has x264's `crf`, `preset`.
    """

    def __init__(
        self, output: OutputFile, codec: str, size: tuple[int, int], times: FrameTimes, quality: Mapping[str, str]
    ) -> None:
        self._output, self._times = output, times
        self._durations: dict[int, int] = {}  # of uneven frames on their way through the encoder, by their start
        self._uneven = times.tick * times.rate != 1
        self.written = 0
        if codec == "libx264" and not has_encoder(codec):
            _log.warning("this build of PyAV lacks libx264; the video is written as MPEG-4 part 2, which is larger")
            codec = "mpeg4"
        self._stream = output.add_video(codec, times.rate, self._options(codec, quality))
        if codec == "mpeg4":
            self._stream.bit_rate = max(1_000_000, int(size[0] * size[1] * times.rate / 3))
        self._stream.pix_fmt = "yuv420p"
        self._stream.height, self._stream.width = (side + side % 2 for side in size)
        if self._uneven:
            self._stream.codec_context.time_base = times.tick

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Encode one picture (H, W, 3)."""
        frame = to_yuv420(_even(picture))
        start = self._times.start(self.written)
        if self._uneven:
            self._durations[start] = self._times.end(self.written) - start
        frame.pts, frame.time_base = start, self._times.tick
        self._output.encode(self._stream, frame, self._durations)
        self.written += 1

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        self._output.encode(self._stream, None, self._durations)

    def _options(self, codec: str, quality: Mapping[str, str]) -> dict[str, str]:
        if codec == "libvpx-vp9":
            return _BT709 | _VP9_SPEED | {"crf": quality["crf"]}
        if codec == "mpeg4":
            return dict(_BT709)
        return {**quality, **_BT709, **(_IN_ORDER if self._uneven else {})}


def has_encoder(name: str) -> bool:
    """Tell whether this build of PyAV can encode with the named codec."""
    return name in av.codecs_available


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture (H, W, 3) with both sides made even by repeating the last row or column."""
    height, width, _ = picture.shape
    if height % 2 == 0 and width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
