"""Pictures on their way into an mp4."""

from __future__ import annotations

import logging
from fractions import Fraction

import av
import numpy as np
import torch
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import InputError
from .mp4_output import Mp4Output

_log = logging.getLogger(__name__)
_BT709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


class VideoTrack:
    """Encodes pictures of one size as yuv420p, BT.709: H.264, or MPEG-4 part 2 where PyAV lacks libx264."""

    def __init__(self, output: Mp4Output, size: tuple[int, int], fps: Fraction, options: dict[str, str]) -> None:
        self._output = output
        self._size = size  # (H, W)
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
        """Encode one picture (H, W, 3); InputError where its size differs from the first."""
        height, width, _ = picture.shape
        if (height, width) != self._size:
            raise InputError(
                f"a frame of {width} x {height} came after {self._size[1]} x {self._size[0]}; a video has one size. "
                "Resize the frames first."
            )
        frame = VideoFrame.from_ndarray(_even(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = self.written, 1 / self._fps
        self._output.encode(self._stream, frame)
        self.written += 1

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        self._output.encode(self._stream, None)


def has_encoder(name: str) -> bool:
    """Whether this build of PyAV can encode with the named codec."""
    return name in av.codecs_available


def eight_bit_pictures(frames: Tensor) -> NDArray[np.uint8]:
    """Frames (B, 3, H, W), float in [0, 1] or uint8, as uint8 (B, H, W, 3) on the CPU; InputError for others."""
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape[2:]:
        raise InputError(f"frames have shape {tuple(frames.shape)}; (B, 3, H, W) was wanted. Permute them first.")
    if frames.is_floating_point():
        frames = frames.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    elif frames.dtype != torch.uint8:
        raise InputError(f"frames are {frames.dtype}; float in [0, 1] or uint8 was wanted. Convert them first.")
    return frames.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture (H, W, 3) with both sides made even by repeating the last row or column."""
    height, width, _ = picture.shape
    if height % 2 == 0 and width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
