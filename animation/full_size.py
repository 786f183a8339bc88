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
from .frames import INTEGER_WHITE, check_images, without_alpha
from .framing import FacePlan
from .options import SOURCE, AnimateOptions, Hooks, working_size
from .predictor import Predictor


def animate_faces(
    predictor: Predictor,
    picture: Tensor,
    plan: FacePlan,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
    best_frame: str | None = None,
) -> Iterator[Tensor]:
    """Animate the faces of a picture (1, H, W, C) as planned, and yield whole pictures (1, 3, H, W), `plan.frames`.

    Face i is driven by driver i; where there are fewer, the last drives the rest; shorter drivers hold their end.
    Pictures are on the CPU, uint8 if the given one is, else float32 in [0, 1]; outside the faces they are the given
    picture bit for bit. Raises InputError.
    """
    options, squares = options or AnimateOptions(), plan.squares
    opaque = without_alpha(check_images(picture, SOURCE))[:1]
    whole = opaque[0].movedim(-1, 0).expand(3, -1, -1).cpu()
    white = INTEGER_WHITE.get(whole.dtype, 1.0)
    whole = whole if whole.dtype == torch.uint8 else whole.float() / white
    paster = Paster(squares, (whole.shape[1], whole.shape[2]), plan.options.feather, plan.options.match_colour)
    runs = _runs(plan)
    numbers = [number for numbers in runs.values() for number in numbers]
    for crops in _together(predictor, opaque, plan, runs, options, hooks, best_frame):
        by_number = dict(zip(numbers, crops, strict=True))
        yield paster.paste(whole, [by_number[number] for number in range(len(squares))])[None]


@dataclass(frozen=True, slots=True)
class _Run:
    """Faces that share a driver and its first frame go through the network together."""

    driver: int
    start: int


def _runs(plan: FacePlan) -> dict[_Run, list[int]]:
    """Group the numbers of faces by their driver and start."""
    offsets, drivers, runs = plan.options.offsets, plan.drivers, dict[_Run, list[int]]()
    for number in range(len(plan.squares)):
        which = min(number, len(drivers) - 1)
        offset = offsets[min(number, len(offsets) - 1)] if offsets else 0.0
        seconds = len(drivers[which].clip) / drivers[which].rate
        if not 0 <= offset < seconds:
            raise InputError(f"has {offset:g} s; the driving clip lasts {seconds:.2f} s. Begin inside it.", "offsets")
        start = min(round(offset * drivers[which].rate), len(drivers[which].clip) - 1)
        runs.setdefault(_Run(which, start), []).append(number)
    return runs


def _together(
    predictor: Predictor,
    picture: Tensor,
    plan: FacePlan,
    runs: Mapping[_Run, Sequence[int]],
    options: AnimateOptions,
    hooks: Hooks | None,
    best_frame: str | None,
) -> Iterator[list[Tensor]]:
    """Yield for each frame the animated squares (3, size, size) of all runs, in the order of the runs."""
    size, count = working_size(predictor.animator, options), plan.frames
    streams: list[Iterator[list[Tensor]]] = [repeat([], count)]  # so that a picture without a face has frames, too
    for run, numbers in runs.items():
        driver = plan.drivers[run.driver]
        clip = ShiftedClip(driver.for_size(size), run.start, count, driver.rate / plan.drivers[0].rate)
        sources = [cut_out(picture, plan.squares[number], size) for number in numbers]
        streams.append(_by_frame(predictor.animate_several(sources, clip, options, hooks, best_frame)))
    for parts in zip(*streams, strict=True):
        yield [*chain(*parts)]


def _by_frame(batches: Iterator[Tensor]) -> Iterator[list[Tensor]]:
    """Turn batches of pictures of each source (b, sources, 3, size, size) into one picture of each at a time."""
    for batch in batches:
        yield from ([*pictures] for pictures in batch)


def cut_out(picture: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of a checked picture (1, H, W, 1 or 3): float32 (1, size, size, 1 or 3) in [0, 1]."""
    return cut(picture.movedim(-1, 1), square, size).movedim(1, -1) / INTEGER_WHITE.get(picture.dtype, 1.0)
