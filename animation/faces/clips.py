"""Driving clips as one face in them sees them: followed, cut out, started later, and held at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import InputError
from ...core.types import Clip
from ..frames import INTEGER_WHITE
from ..moving import OrderedClip, frame_at
from .face import Face, FaceFinder, choose_faces
from .square import DEFAULT_RATIO, Square, cut
from .track import LONGEST_GAP, Track, link, present_longest, smooth_squares, union_square

DETECTIONS = 8  # per second of a clip; faces hardly move between
FRAMES_AT_ONCE = 8


def eight_bit(picture: Tensor) -> NDArray[np.uint8]:
    """Convert a picture (H, W, C), float in [0, 1] or integer, grey or RGB, with or without alpha, to uint8 RGB."""
    rgb = picture[..., :1].expand(*picture.shape[:-1], 3) if picture.shape[-1] < 3 else picture[..., :3]
    if rgb.is_floating_point():
        rgb = rgb.clamp(0, 1).mul(255).round()
    elif rgb.dtype == torch.uint16:
        rgb = rgb.float().div(257).round()
    return np.ascontiguousarray(rgb.to(torch.uint8).cpu().numpy())


def find_faces(picture: Tensor, finder: FaceFinder) -> list[Face]:
    """Find the faces in a picture (1, H, W, C) or (H, W, C), from left to right."""
    return choose_faces(finder(eight_bit(picture[0] if picture.ndim == 4 else picture)), "all")


def follow_faces(
    clip: Clip, finder: FaceFinder, rate: float, check_cancelled: Callable[[], None] = lambda: None
) -> list[Track]:
    """Follow the faces through a clip of `rate` frames per second: the lasting ones, from left to right.

    Faces are looked for eight times a second and linked; see `track.link`.
    """
    every = max(1, round(rate / DETECTIONS))
    tracks = link(_detections(clip, finder, every, check_cancelled), max(every, round(LONGEST_GAP * rate)))
    return present_longest(tracks, -(-len(clip) // every))


def _detections(
    clip: Clip, finder: FaceFinder, every: int, check_cancelled: Callable[[], None]
) -> Iterator[tuple[int, list[Face]]]:
    number = 0
    for chunk in clip.chunks(FRAMES_AT_ONCE):
        for picture in chunk:
            if number % every == 0:
                check_cancelled()
                yield number, finder(eight_bit(picture))
            number += 1


def squares_for(
    track: Track, count: int, rate: float, ratio: float = DEFAULT_RATIO, smooth: bool = False, upright: bool = False
) -> list[Square]:
    """Place a square for each of `count` frames: one and the same for all, or along the smoothed path of the face.

    With `upright` squares are turned as the face is, where the detector finds eyes; one for all by the median.
    """
    boxes, rolls = track.boxes(count), track.rolls(count) if upright else None
    if smooth:
        return smooth_squares(boxes, rate, ratio, rolls=rolls)
    union = union_square(boxes, ratio)
    return [union if rolls is None else replace(union, angle=float(np.median(rolls)))] * count


class FaceClip:
    """Clip of one face of another clip: each frame's square, cut out at `size` pixels, float32 in [0, 1]."""

    def __init__(self, clip: Clip, squares: Sequence[Square], size: int) -> None:
        self._clip, self._squares, self._size = clip, squares, size

    def __len__(self) -> int:
        return len(self._clip)

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, size, size, 3)."""
        return self._cut(self._clip.frame(index), index)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time."""
        first = 0
        for chunk in self._clip.chunks(size):
            yield self._cut(chunk, first)
            first += len(chunk)

    def _cut(self, frames: Tensor, first: int) -> Tensor:
        squares = [self._squares[min(first + place, len(self._squares) - 1)] for place in range(len(frames))]
        if len(set(squares)) == 1:
            parts = [cut(frames.movedim(-1, 1), squares[0], self._size)]
        else:
            parts = [
                cut(frame[None].movedim(-1, 1), square, self._size)
                for frame, square in zip(frames, squares, strict=True)
            ]
        return torch.cat(parts).movedim(1, -1) / INTEGER_WHITE.get(frames.dtype, 1.0)


class ShiftedClip(OrderedClip):
    """Clip of `count` frames out of another: it begins with frame `start`, and holds the last frame at the end.

    `step` is how many frames of the other one pass with each frame, for clips of different rates: at 2 every second
    one is taken, at 0.5 each is shown twice. Raises InputError for a start outside the other clip.
    """

    def __init__(self, clip: Clip, start: int, count: int, step: float = 1.0) -> None:
        if not 0 <= start < len(clip):
            raise InputError(f"is {start} frames; the clip has {len(clip)}. Start earlier.", "offset")
        super().__init__(clip, [min(start + frame_at(index, step), len(clip) - 1) for index in range(count)])
