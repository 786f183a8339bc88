"""Choices of callers for an animation, hooks by which the driver reaches them, and checks of what they give."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import Tensor

from ..core.errors import InputError
from ..core.types import Animator, Clip
from .motion.controls import Controls
from .moving import MovingSource, Source, is_moving
from .out_of_memory import BackOff
from .retarget import Retargeting

log = logging.getLogger(__name__)

DEFAULT_BATCH = 8  # where none was chosen, by a caller or by free memory
DEFAULT_MODE = "relative"
DEFAULT_RATE = 25.0  # frames per second of a driving clip, which does not say it itself
MOST_ENLARGED = 4  # times the model's size are results with detail
SOURCE, DRIVING, ANCHOR = "source", "driving", "anchor"  # parameters, in error messages
RESULT = "result"


def ignore(*_: object) -> None:
    """Do nothing: the default of hooks and of reports of progress."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Callbacks by which the driver reaches the program that runs it.

    `check_cancelled` raises to stop, `free_memory` empties caches, `memory_ran_out` is called with the batch size that
    is tried from then on.
    """

    check_cancelled: Callable[[], None] = ignore
    free_memory: Callable[[], None] = ignore
    memory_ran_out: Callable[[int], None] = ignore

    def back_off(self) -> BackOff:
        """Make a back-off for batches of frames."""
        return BackOff(self.free_memory, ran_out=self.memory_ran_out)

    def chunks(self, clip: Clip, batch: int | None) -> Iterator[Tensor]:
        """Yield all frames of a clip, `batch` at a time, checking for a cancel before each chunk."""
        for chunk in clip.chunks(batch or DEFAULT_BATCH):
            self.check_cancelled()
            yield chunk


@dataclass(frozen=True, slots=True)
class AnimateOptions:
    """User's choices for an animation, apart from the model.

    `anchor` is what relative motion is measured from: the index of a driving frame, or a frame (1, H, W, C). `size` is
    the side in pixels to work at, None for the model's own. `batch` is how many frames are worked on at once, None for
    a number that suits the model and the device. `max_pixels` limits how many pixels are decoded at once by a model
    that decodes them singly, None for the default. Both change nothing but speed and memory. `moving` is for a source
    that is a clip. `controls` say how strongly and how smoothly it moves; `rate` is that of the driving frames in
    frames per second, which smoothing alone needs.

    `detail` in [0, 1] is how much of the source's own fine detail results show beyond the model's size; with any,
    `detail_size` is their side in pixels, None for the source's longer side, from the model's size to `MOST_ENLARGED`
    times that. With 0, results are the model's own.
    """

    retargeting: Retargeting = field(default_factory=Retargeting)
    anchor: int | Tensor = 0
    size: int | None = None
    antialias: bool = False
    batch: int | None = None
    max_pixels: int | None = None
    moving: MovingSource = field(default_factory=MovingSource)
    controls: Controls = field(default_factory=Controls)
    rate: float = DEFAULT_RATE
    detail: float = 0.0
    detail_size: int | None = None


def named_pictures(source: Source) -> list[tuple[str, Tensor]]:
    """Pair every batch of source pictures with the name of its parameter; of a clip, its first frame."""
    if is_moving(source):
        return [(SOURCE, source.frame(0))]
    parts = [source] if isinstance(source, Tensor) else source
    return [(SOURCE if i == 1 else f"{SOURCE}_{i}", part) for i, part in enumerate(parts, 1)]


def first_picture(source: Source) -> Tensor:
    """Pick the picture to animate, of one or more batches (B, H, W, C), of pictures alone (H, W, C), or of a clip."""
    if is_moving(source):
        return source.frame(0)
    first = source if isinstance(source, Tensor) else source[0]
    return first[:1] if first.ndim > 3 else first


def anchor_frame(clip: Clip, options: AnimateOptions) -> tuple[Tensor, str]:
    """Return the frame (1, H, W, C) that relative motion is measured from, and the name of its parameter."""
    if isinstance(options.anchor, Tensor):
        return first_picture(options.anchor), ANCHOR
    return clip.frame(options.anchor), DRIVING


def check_clip(source: Source, clip: Clip, options: AnimateOptions) -> None:
    """Raise InputError for empty inputs, an anchor outside the clip, and numbers out of bounds."""
    for name, part in named_pictures(source):
        if part.ndim > 3 and part.shape[0] == 0:
            raise InputError("has 0 pictures; 1 is needed. Check the picture loader.", name)
    if len(clip) == 0:
        raise InputError("has 0 frames; at least 1 is needed. Check the video loader's frame limits.", DRIVING)
    if isinstance(options.anchor, Tensor) and len(options.anchor) == 0:
        raise InputError("has 0 pictures; 1 was wanted. Check the picture loader.", ANCHOR)
    if not isinstance(options.anchor, Tensor) and not 0 <= options.anchor < len(clip):
        raise InputError(f"is {options.anchor}; the clip has frames 0 to {len(clip) - 1}. Choose one.", "anchor")
    check_numbers(options)


def check_numbers(options: AnimateOptions) -> None:
    """Raise InputError for numbers that no model and no clip can do anything with."""
    for name, number in (("batch", options.batch), ("max_pixels", options.max_pixels)):
        if number is not None and number < 1:
            raise InputError(f"is {number}; 1 or more was wanted. Leave it out for a number that fits.", name)
    if not (math.isfinite(options.rate) and options.rate > 0):
        raise InputError(f"is {options.rate:g}; frames per second above 0 were wanted. Give the clip's own.", "rate")
    check_detail(options)


def check_detail(options: AnimateOptions) -> None:
    """Raise InputError for a detail that is no share, and for a size of results without any."""
    if not 0 <= options.detail <= 1:
        raise InputError(f"is {options.detail:g}; 0 to 1 was wanted. 1 shows all that fits.", "detail")
    if options.detail == 0 and options.detail_size is not None:
        raise InputError(
            f"is {options.detail_size}; it has no effect without detail. Set detail, or leave it out.", "detail_size"
        )


def working_size(animator: Animator, options: AnimateOptions) -> int:
    """Return the side to work at: the requested one, else the model's own, rounded up to its `multiple`.

    Raises InputError for a requested size that is no such multiple, or not the model's fixed size.
    """
    spec = animator.spec
    size = -(-spec.size // spec.multiple) * spec.multiple if options.size is None else options.size
    if size < spec.multiple or size % spec.multiple:
        near = spec.size if spec.fixed_size else max(spec.multiple, round(size / spec.multiple) * spec.multiple)
        raise InputError(f"is {size}; {spec.name} needs a multiple of {spec.multiple}. Try {near}.", "size")
    if spec.fixed_size and size != spec.size:
        raise InputError(
            f"is {size}; {spec.name} works only at {spec.size}. Leave it out, and enlarge the result.", "size"
        )
    return size


def result_size(animator: Animator, source_side: int, options: AnimateOptions) -> int:
    """Return the side of results for a source whose longer side is `source_side`: the working size without detail.

    Raises InputError for a detail that the model cannot give, and for a size out of bounds.
    """
    size, wanted, spec = working_size(animator, options), options.detail_size, animator.spec
    check_detail(options)
    if options.detail == 0:
        return size
    if not spec.has_flow:
        raise InputError(f"is {options.detail:g}; {spec.name} has no flow to move any. Leave it at 0.", "detail")
    most = MOST_ENLARGED * size
    if wanted is None:
        return max(size, min(most, source_side - source_side % 2))
    if not size <= wanted <= most or wanted % 2:
        raise InputError(f"is {wanted}; an even number from {size} to {most} was wanted. Change it.", "detail_size")
    return wanted


def warn_of_size(animator: Animator, options: AnimateOptions) -> None:
    """Log that the requested size is not the one that the weights were trained at, where that is so."""
    if options.size is not None and options.size != animator.spec.size:
        log.warning(
            "%s was trained at %d pixels and works at %d: pictures may come apart. Enlarge the result instead.",
            animator.spec.name, animator.spec.size, options.size,
        )  # fmt: skip


def warn_of_detail(side: int, animator: Animator, options: AnimateOptions) -> None:
    """Log that results of a side show no detail, as the source has no more pixels than the model works at."""
    size = working_size(animator, options)
    if options.detail and side <= size:
        log.warning(
            "Detail shows nothing here: the source has no more than the %d pixels that the model works at. Give a "
            "larger picture, or --detail-size.",
            size,
        )


def warn_of_still(animator: Animator, clip: Clip, options: AnimateOptions) -> None:
    """Log that one driving frame moves nothing where movement is measured from that very frame."""
    if len(clip) == 1 and not isinstance(options.anchor, Tensor) and resolve_mode(animator, options) == "relative":
        log.warning(
            "One driving frame moves nothing, for movement is measured from it. Give a picture of the driving face at "
            "rest as the anchor (--anchor neutral.png), or take the driving pose as it is (--absolute)."
        )


def resolve_mode(animator: Animator, options: AnimateOptions) -> str:
    """Return the retargeting mode; raises InputError where the model does not offer it."""
    mode, modes = options.retargeting.mode, animator.spec.modes
    if mode is None:
        return DEFAULT_MODE if DEFAULT_MODE in modes else modes[0]
    if mode not in modes:
        hint = " It takes weights that carry an avd_network." if mode == "avd" else ""
        raise InputError(f"is {mode!r}; {animator.spec.name} offers {', '.join(modes)}.{hint}", "mode")
    return mode
