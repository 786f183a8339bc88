"""Animation of the faces in a picture of any size and shape: cut out, animated, and pasted back where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import torch
from torch import Tensor

from ..core.errors import InputError
from .faces.clips import ShiftedClip
from .faces.paste import Paster
from .faces.square import Square, cut
from .frames import INTEGER_WHITE, check_images
from .framing import Driver, FaceOptions
from .pipeline import SOURCE, AnimateOptions, Hooks, working_size
from .predictor import Predictor


def output_frames(squares: Sequence[Square], drivers: Sequence[Driver]) -> int:
    """Count the frames of an animation: as many as the longest clip that drives a face has, at the first one's rate."""
    used = drivers[: max(1, len(squares))]
    return max(max(1, round(len(driver.clip) * drivers[0].rate / driver.rate)) for driver in used)


def animate_faces(
    predictor: Predictor,
    picture: Tensor,
    squares: Sequence[Square],
    drivers: Sequence[Driver],
    face_options: FaceOptions | None = None,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
    best_frame: str | None = None,
) -> Iterator[Tensor]:
    """Animate the squares of a picture (1, H, W, C), from left to right, and yield whole pictures (1, 3, H, W).

    Face i is driven by driver i; where there are fewer, the last drives the rest. Frames are as many as the longest
    driver has; shorter ones hold their end. Pictures are on the CPU, uint8 if the given one is, else float32 in [0, 1];
    outside the faces they are the given picture bit for bit. Raises InputError.
    """
    face_options, options = face_options or FaceOptions(), options or AnimateOptions()
    whole = check_images(picture, SOURCE)[0].movedim(-1, 0).expand(3, -1, -1).cpu()
    white = INTEGER_WHITE.get(whole.dtype, 1.0)
    whole = whole if whole.dtype == torch.uint8 else whole.float() / white
    paster = Paster(squares, (whole.shape[1], whole.shape[2]), face_options.feather, face_options.match_colour)
    runs = _runs(squares, drivers, face_options)
    numbers = [number for numbers in runs.values() for number in numbers]
    for crops in _together(predictor, picture, squares, drivers, runs, options, hooks, best_frame):
        by_number = dict(zip(numbers, crops, strict=True))
        yield paster.paste(whole, [by_number[number] for number in range(len(squares))])[None]


@dataclass(frozen=True, slots=True)
class _Run:
    """Faces that share a driver and its first frame go through the network together."""

    driver: int
    start: int


def _runs(squares: Sequence[Square], drivers: Sequence[Driver], options: FaceOptions) -> dict[_Run, list[int]]:
    """Group the numbers of faces by their driver and start."""
    runs: dict[_Run, list[int]] = {}
    for number in range(len(squares)):
        which = min(number, len(drivers) - 1)
        offset = options.offsets[min(number, len(options.offsets) - 1)] if options.offsets else 0.0
        seconds = len(drivers[which].clip) / drivers[which].rate
        if not 0 <= offset < seconds:
            raise InputError(f"has {offset:g} s; the driving clip lasts {seconds:.2f} s. Begin inside it.", "offsets")
        start = min(round(offset * drivers[which].rate), len(drivers[which].clip) - 1)
        runs.setdefault(_Run(which, start), []).append(number)
    return runs


def _together(
    predictor: Predictor,
    picture: Tensor,
    squares: Sequence[Square],
    drivers: Sequence[Driver],
    runs: Mapping[_Run, Sequence[int]],
    options: AnimateOptions,
    hooks: Hooks | None,
    best_frame: str | None,
) -> Iterator[list[Tensor]]:
    """Yield for each frame the animated squares (3, size, size) of all runs, in the order of the runs."""
    size = working_size(predictor.animator, options)
    count = output_frames(squares, drivers)
    streams: list[Iterator[list[Tensor]]] = [repeat([], count)]  # so that a picture without a face has frames, too
    for run, numbers in runs.items():
        driver = drivers[run.driver]
        clip = ShiftedClip(driver.for_size(size), run.start, count, driver.rate / drivers[0].rate)
        sources = [cut_out(picture, squares[number], size) for number in numbers]
        streams.append(_by_frame(predictor.animate_several(sources, clip, options, hooks, best_frame)))
    for parts in zip(*streams, strict=True):
        yield [*chain(*parts)]


def _by_frame(batches: Iterator[Tensor]) -> Iterator[list[Tensor]]:
    """Turn batches of pictures of each source (b, sources, 3, size, size) into one picture of each at a time."""
    for batch in batches:
        yield from ([*pictures] for pictures in batch)


def cut_out(picture: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of a picture (1, H, W, C): float32 (1, size, size, 1 or 3) in [0, 1]."""
    checked = check_images(picture, SOURCE)[:1]
    return cut(checked.movedim(-1, 1), square, size).movedim(1, -1) / INTEGER_WHITE.get(checked.dtype, 1.0)
