"""Orientation of decoded frames, as the display matrix of a phone's video asks."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from av.video.frame import VideoFrame
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Orientation:
    """Placement of a picture, one of eight: swap the axes first, then mirror along x and y."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def upright(self, picture: Tensor) -> Tensor:
        """Turn a picture (H, W, C) as it is to be seen: (H, W, C), or (W, H, C) after a quarter turn."""
        turned = picture.transpose(0, 1) if self.transposed else picture
        axes = [axis for axis, flip in ((0, self.flip_y), (1, self.flip_x)) if flip]
        return turned.flip(axes) if axes else turned


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the frame's display matrix; angles that are no quarter turns are left alone.

    The matrix maps stored (p, q) to shown (a p + c q, b p + d q), with a, b at its first and c, d at its
    fourth and fifth place (ISO/IEC 14496-12, 6.2.2).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if a == 0 and d == 0:
        return Orientation(transposed=True, flip_x=c < 0, flip_y=b < 0)
    if b == 0 and c == 0:
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    return Orientation()
