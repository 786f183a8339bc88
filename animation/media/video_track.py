"""Encoding of pictures for an mp4."""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from .output_file import OutputFile

_log = logging.getLogger(__name__)
_BT709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


class VideoTrack:
    """Track of pictures of one size (H, W) in yuv420p, BT.709: H.264, or MPEG-4 part 2 where PyAV lacks libx264."""

    def __init__(self, output: OutputFile, size: tuple[int, int], fps: Fraction, options: dict[str, str]) -> None:
        self._output = output
        self._fps = fps
        self.written = 0
        if has_encoder("libx264"):
            self._stream = output.add_video("libx264", fps, options | _BT709)
        else:
            _log.warning("this build of PyAV lacks libx264; the video is written as MPEG-4 part 2, which is larger")
            self._stream = output.add_video("mpeg4", fps, _BT709)
            self._stream.bit_rate = max(1_000_000, int(size[0] * size[1] * fps / 3))
        self._stream.pix_fmt = "yuv420p"
        self._stream.height, self._stream.width = (side + side % 2 for side in size)

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Encode one picture (H, W, 3)."""
        frame = VideoFrame.from_ndarray(_even(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = self.written, 1 / self._fps
        self._output.encode(self._stream, frame)
        self.written += 1

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        self._output.encode(self._stream, None)


def has_encoder(name: str) -> bool:
    """Tell whether this build of PyAV can encode with the named codec."""
    return name in av.codecs_available


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture (H, W, 3) with both sides made even by repeating the last row or column."""
    height, width, _ = picture.shape
    if height % 2 == 0 and width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
