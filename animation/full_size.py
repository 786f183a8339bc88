"""Animation of the faces in pictures of any size and shape: cut out, animated, and pasted back where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, repeat

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Animator, Clip
from .enhance import Enhancer
from .faces.clips import FaceClip, find_faces
from .faces.face import LARGEST, choose_faces
from .faces.square import Square, cut, square_around
from .faces.squares import ClipPaster, FaceSquares
from .frames import INTEGER_WHITE, check_images, without_alpha
from .framing import FacePlan, FinderOnDemand, Framing
from .motion.clips import shifted
from .moving import MovingSource, OrderedClip, is_moving
from .options import ANCHOR, DEFAULT_BATCH, SOURCE, AnimateOptions, Hooks, result_size, working_size
from .predictor import Predictor


def animate_faces(
    predictor: Predictor,
    source: Tensor | Clip,
    plan: FacePlan,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
    best_frame: str | None = None,
    enhancer: Enhancer | None = None,
) -> Iterator[Tensor]:
    """Animate the faces of a picture (1, H, W, C), or of a clip, as planned; see `FacePlan.result_frames`.

    Yields whole pictures (1, 3, H, W). Face i is driven by driver i; where there are fewer, the last drives the rest;
    shorter drivers hold their end. Pictures are on the CPU, uint8 if the given ones are, else float32 in [0, 1];
    outside the faces they are the given ones bit for bit. An enhancer works on faces before they are pasted. Raises
    InputError.
    """
    options = options or AnimateOptions()
    scene = Scene.of(source, plan, options)
    paster = ClipPaster(scene.squares, plan.options.feather, plan.options.match_colour)
    runs = _runs(plan)
    numbers = [number for numbers in runs.values() for number in numbers]
    crops = _together(predictor, scene, plan, runs, options, hooks, best_frame)
    if enhancer is not None and numbers:
        crops = enhancer.stream_faces(crops, hooks)
    for number, whole, animated in zip(count(), scene.pictures(), crops, strict=False):  # a still never ends
        by_number = dict(zip(numbers, animated, strict=True))
        yield paster.paste(number, whole, [by_number[face] for face in range(len(by_number))])[None]


@dataclass(frozen=True, slots=True)
class Scene:
    """Picture, or clip as long as the result, with the squares of its faces: (1, H, W, C) or a clip of such frames."""

    content: Tensor | Clip
    squares: FaceSquares
    frames: int

    @classmethod
    def of(cls, source: Tensor | Clip, plan: FacePlan, options: AnimateOptions) -> Scene:
        """Check a picture, or bring the frames of a clip into the order in which the result shows them."""
        frames = plan.result_frames(options.moving)
        if not is_moving(source):
            return cls(without_alpha(check_images(source, SOURCE))[:1], plan.squares, frames)
        order = options.moving.order_of(len(source), frames)
        return cls(OrderedClip(source, order), plan.squares.in_order(order), frames)

    def pictures(self) -> Iterator[Tensor]:
        """Yield the picture for every frame, (3, H, W) on the CPU, uint8 or else float32 in [0, 1]."""
        if not is_moving(self.content):
            yield from repeat(_channels_first(self.content[0]))
            return
        for chunk in self.content.chunks(DEFAULT_BATCH):
            yield from map(_channels_first, without_alpha(check_images(chunk, SOURCE)))

    def face(self, number: int, size: int) -> Tensor | Clip:
        """Cut out a face: float32 (1, size, size, C) in [0, 1], or a clip of such frames."""
        squares = self.squares.faces[number]
        return (
            FaceClip(self.content, squares, size)
            if is_moving(self.content)
            else cut_out(self.content, squares[0], size)
        )


def _channels_first(picture: Tensor) -> Tensor:
    """Convert a checked picture (H, W, 1 or 3) to (3, H, W) on the CPU, uint8 or else float32 in [0, 1]."""
    whole = picture.movedim(-1, 0).expand(3, -1, -1).cpu()
    return whole if whole.dtype == torch.uint8 else whole.float() / INTEGER_WHITE.get(whole.dtype, 1.0)


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
    scene: Scene,
    plan: FacePlan,
    runs: Mapping[_Run, Sequence[int]],
    options: AnimateOptions,
    hooks: Hooks | None,
    best_frame: str | None,
) -> Iterator[list[Tensor]]:
    """Yield for each frame the animated squares (3, side, side) of all runs, in the order of the runs."""
    size, frames = working_size(predictor.animator, options), scene.frames
    in_order = MovingSource(options.moving.motion)  # as the scene's frames are already
    own = replace(options, moving=in_order, rate=plan.drivers[0].rate)
    side, own = for_squares(predictor.animator, [*chain(*scene.squares.faces)], own)
    streams: list[Iterator[list[Tensor]]] = [repeat([], frames)]  # so that a picture without a face has frames, too
    for run, numbers in runs.items():
        driver = plan.drivers[run.driver]
        clip = shifted(driver.for_size(size), run.start, frames, driver.rate / plan.drivers[0].rate)
        sources = [scene.face(number, side) for number in numbers]
        streams.append(_by_frame(predictor.animate_several(sources, clip, own, hooks, best_frame)))
    for parts in zip(*streams, strict=True):
        yield [*chain(*parts)]


def for_squares(animator: Animator, squares: Sequence[Square], options: AnimateOptions) -> tuple[int, AnimateOptions]:
    """Return the side at which squares are cut out and animated, one for all, and the options for them."""
    largest = max((square.side for square in squares), default=0.0)
    side = result_size(animator, round(largest), options)
    if options.detail:  # the model still gets its squares as smooth as when they are cut out at its own size
        options = replace(options, detail_size=side, antialias=True)
    return side, options


def _by_frame(batches: Iterator[Tensor]) -> Iterator[list[Tensor]]:
    """Turn batches of pictures of each source (b, sources, 3, size, size) into one picture of each at a time."""
    for batch in batches:
        yield from ([*pictures] for pictures in batch)


def cut_anchor(framing: Framing, plan: FacePlan, picture: Tensor, size: int) -> Tensor:
    """Cut the face out of a picture (1, H, W, C) of the driving face at rest, if faces were cut out of the clip too.

    Raises InputError where there is none.
    """
    if not plan.drivers[0].squares:
        return picture
    picture = without_alpha(check_images(picture, ANCHOR))
    finder = FinderOnDemand(framing.finder)
    faces = find_faces(picture, finder)
    if not faces:
        raise InputError(f"shows no face that {finder.name} finds. Give one that does, or a number.", ANCHOR)
    [face, *_] = choose_faces(faces, LARGEST)
    return cut_out(picture, square_around(face, framing.options.ratio).aligned(), size)


def cut_out(picture: Tensor, square: Square, size: int) -> Tensor:
    """Cut a square out of a checked picture (1, H, W, 1 or 3): float32 (1, size, size, 1 or 3) in [0, 1]."""
    return cut(picture.movedim(-1, 1), square, size).movedim(1, -1) / INTEGER_WHITE.get(picture.dtype, 1.0)
