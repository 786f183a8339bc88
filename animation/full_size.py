"""Animation of the faces in a picture of any size and shape: cut out, animated, and pasted back where they were."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Clip
from .faces.clips import FaceClip, ShiftedClip, follow_faces, squares_for
from .faces.face import ALL, Face, FaceFinder, choose_faces
from .faces.paste import DEFAULT_FEATHER, Paster
from .faces.square import DEFAULT_RATIO, Square, cut, square_around
from .frames import INTEGER_WHITE, check_images
from .pipeline import SOURCE, AnimateOptions, Hooks, working_size
from .predictor import Predictor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Choices for the faces of a picture.

    `faces` is "all", "largest" or numbers such as "0,2", counted from left to right. `ratio` is the margin around a
    face on each side, as a part of its longer side; `upright` turns each face so that its eyes are level, where the
    detector finds eyes. `smooth_crop` has the cut of the driving clip follow the head, instead of one square that
    holds all its movement. `feather` is the width of the fading edge as a part of the square's side, `match_colour`
    shifts each face's colours to those around it. `offsets` are the seconds by which each face begins later in its
    clip, from left to right; the last one counts for all that follow.
    """

    faces: str = ALL
    ratio: float = DEFAULT_RATIO
    upright: bool = False
    smooth_crop: bool = False
    feather: float = DEFAULT_FEATHER
    match_colour: bool = False
    offsets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    """Driving clip of `rate` frames per second; `squares`, one for each frame, cut a face out of it, or none do."""

    clip: Clip
    rate: float
    squares: Sequence[Square] = field(default_factory=tuple[Square, ...])

    def for_size(self, size: int) -> Clip:
        """Return the clip as the network is to see it."""
        return FaceClip(self.clip, self.squares, size) if self.squares else self.clip


def place_squares(faces: Sequence[Face], options: FaceOptions) -> list[Square]:
    """Choose the faces of a picture that are animated, and place a square around each: left to right.

    Raises InputError for a choice that names other faces, and for a ratio out of bounds.
    """
    chosen = choose_faces(faces, options.faces)
    return [square_around(face, options.ratio, options.upright).aligned() for face in chosen]


def drivers_of(clip: Clip, rate: float, finder: FaceFinder | None, options: FaceOptions, hooks: Hooks) -> list[Driver]:
    """Make a driver of each face that lasts in a clip, from left to right; of the whole clip where none is found.

    Without a finder, clips are taken as they are.
    """
    tracks = [] if finder is None else follow_faces(clip, finder, rate, hooks.check_cancelled)
    if not tracks:
        if finder is not None:
            log.info("No face was found in the driving clip by %s; the whole frame drives.", finder.name)
        return [Driver(clip, rate)]
    count = len(clip)
    return [Driver(clip, rate, squares_for(track, count, rate, options.ratio, options.smooth_crop)) for track in tracks]


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
    """Faces that share a driver and its start go through the network together."""

    driver: int
    start: int


def _runs(squares: Sequence[Square], drivers: Sequence[Driver], options: FaceOptions) -> dict[_Run, list[int]]:
    """Group the places of faces by their driver and start."""
    runs: dict[_Run, list[int]] = {}
    for place in range(len(squares)):
        number = min(place, len(drivers) - 1)
        offset = options.offsets[min(place, len(options.offsets) - 1)] if options.offsets else 0.0
        if not 0 <= offset < len(drivers[number].clip) / drivers[number].rate:
            raise InputError(f"has {offset:g} s, which is not inside the driving clip. Begin earlier.", "offsets")
        runs.setdefault(_Run(number, round(offset * drivers[number].rate)), []).append(place)
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
    count = max(len(driver.clip) for driver in drivers[: max(1, len(squares))])
    streams: list[Iterator[list[Tensor]]] = [repeat([], count)]  # so that a picture without a face has frames, too
    for run, numbers in runs.items():
        driver = drivers[run.driver]
        clip = ShiftedClip(driver.for_size(size), run.start, count)
        sources = [cut_out(picture, squares[number], size) for number in numbers]
        streams.append(_by_frame(predictor.animate_several(sources, clip, options, hooks, best_frame)))
    for parts in zip(*streams, strict=True):
        yield [*chain(*parts)]


def _by_frame(batches: Iterator[list[Tensor]]) -> Iterator[list[Tensor]]:
    """Turn batches of pictures of each source into one picture of each source at a time."""
    for batch in batches:
        yield from ([*pictures] for pictures in zip(*batch, strict=True))


def cut_out(picture: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of a picture (1, H, W, C): float32 (1, size, size, 1 or 3) in [0, 1]."""
    checked = check_images(picture, SOURCE)[:1]
    return cut(checked.movedim(-1, 1), square, size).movedim(1, -1) / INTEGER_WHITE.get(checked.dtype, 1.0)
