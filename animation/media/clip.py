"""Parts that clips read from files have in common, whatever the files are."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ...core.errors import InputError
from ...core.types import Clip
from .frame_times import FrameTimes

CHUNK_PIXELS = 2**25  # of driving frames at once: 16 of 1080p, one of 8K; about 100 MB


class FileClip(Clip, Protocol):
    """Driving clip in a file or several: frames are uint8 (B, H, W, 3), each with its time."""

    path: Path
    times: FrameTimes

    @property
    def fps(self) -> Fraction:
        """Frames per second, exact; the mean where the rate varies."""
        ...

    @property
    def sound(self) -> Path | None:
        """File whose sound belongs to the clip, if it can have any."""
        ...


class TimedClip:
    """Base of clips that know the times of their frames, from which number and rate follow; without sound."""

    times: FrameTimes

    @property
    def fps(self) -> Fraction:
        """Frames per second, exact; the mean where the rate varies."""
        return self.times.rate

    @property
    def sound(self) -> Path | None:
        """File whose sound belongs to the clip: none."""
        return None

    def __len__(self) -> int:
        return len(self.times)


def in_chunks(pictures: Iterator[Tensor], size: int, pixels: int) -> Iterator[Tensor]:
    """Stack pictures (H, W, C) of `pixels` pixels to (B, H, W, C), `size` at a time, or as many as memory is set for.

    Raises InputError for a size below 1.
    """
    if size < 1:
        raise InputError(f"chunk size is {size}; at least 1 is needed. Set a larger batch.")
    return _stacked(pictures, min(size, max(1, CHUNK_PIXELS // pixels)))


def _stacked(pictures: Iterator[Tensor], size: int) -> Iterator[Tensor]:
    batch: list[Tensor] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == size:
            yield torch.stack(batch)
            batch.clear()
    if batch:
        yield torch.stack(batch)


def check_index(index: int, count: int, path: Path) -> None:
    """Raise InputError for a frame that a clip of `count` does not have."""
    if not 0 <= index < count:
        raise InputError(f"frame {index} was asked of {count} in {path}; choose 0 to {count - 1}.")
