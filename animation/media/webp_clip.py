"""Clip of an animated WebP, which FFmpeg does not decode."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate, islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ...core.errors import MediaError
from ..frames import without_alpha
from .clip import TimedClip, check_index, in_chunks
from .frame_times import FrameTimes
from .picture import check_pixels, picture_errors
from .picture_formats import opened_picture

_TICK: Final = Fraction(1, 1000)
_SHORTEST, _INSTEAD = 11, 100  # ms: browsers show a frame that is shorter for as long as this


class WebpClip(TimedClip):
    """Animated WebP as a `Clip`: uint8 RGB in [0, 255], decoded anew on each pass, transparent parts white."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            shown = [ms if ms >= _SHORTEST else _INSTEAD for _, ms in frame_durations(file.read())]
        with picture_errors(path), opened_picture(path) as image:
            check_pixels(path, image.size)
            self._pixels = image.width * image.height
            count = min(len(shown), getattr(image, "n_frames", 1))
        if count == 0:
            raise MediaError(f"{path} has 0 frames; at least 1 is needed. Export the file anew.")
        starts = list(accumulate(shown[: count - 1], initial=0))
        self.times = FrameTimes.listed(starts, _TICK, shown[count - 1])

    def frame(self, index: int) -> Tensor:
        """Read frame `index` as (1, H, W, 3), decoding those before it; InputError outside [0, len)."""
        check_index(index, len(self), self.path)
        return next(islice(self._pictures(), index, None)).unsqueeze(0)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order as (B, H, W, 3), `size` at a time or fewer large ones; the last may be shorter."""
        return in_chunks(self._pictures(), size, self._pixels)

    def _pictures(self) -> Iterator[Tensor]:
        with picture_errors(self.path), opened_picture(self.path) as image:
            for index in range(len(self)):
                image.seek(index)
                yield without_alpha(torch.as_tensor(np.array(image.convert("RGBA"), np.uint8)))


def frame_durations(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield for each frame of an animated WebP the place of its duration in the file, and that in milliseconds."""
    place = 12
    while place + 24 <= len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        if name == b"ANMF":
            yield place + 20, int.from_bytes(content[place + 20 : place + 23], "little")
        place += 8 + length + length % 2
