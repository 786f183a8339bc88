"""`animate`: the one driver that every architecture, node and command runs through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TypeVar, cast

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.precision import inference_mode
from ..core.types import (
    Animator,
    AVDAnimator,
    BackgroundAnimator,
    Clip,
    Mapped,
    MappingAnimator,
    Motion,
    PixelAnimator,
    Prepared,
)
from .backoff import BackOff
from .frames import FrameFormat
from .pixels import PixelRenderer, pixels_at_once
from .retarget import Retargeter, Retargeting

T = TypeVar("T")


def _nothing(*_: int) -> None:
    """The default hook."""


Pictures = Tensor | Sequence[Tensor]
"""Source pictures (B, H, W, C), or several such of different sizes."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the surroundings lend the driver: `check_cancelled` raises to stop, `free_memory` empties caches.

    `memory_ran_out` hears how many frames at once are tried from then on.
    """

    check_cancelled: Callable[[], None] = _nothing
    free_memory: Callable[[], None] = _nothing
    memory_ran_out: Callable[[int], None] = _nothing

    def back_off(self) -> BackOff:
        """For batches of frames."""
        return BackOff(self.free_memory, ran_out=self.memory_ran_out)


@dataclass(frozen=True, slots=True)
class AnimateOptions:
    """Everything a user may choose that is not the model.

    `anchor` is the index of the driving frame that relative motion is measured from. `size` is the side in
    pixels to work at, None for the model's own. `batch` frames are worked on at once; it changes nothing but
    speed and memory. Nor does `max_pixels`, the most that are decoded at once by a model that decodes them singly.
    """

    retargeting: Retargeting = field(default_factory=Retargeting)
    anchor: int = 0
    size: int | None = None
    antialias: bool = False
    batch: int = 8
    max_pixels: int = 65536


def animate(
    animator: Animator,
    source: Pictures,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
) -> Iterator[Tensor]:
    """Animate the first of the source pictures with a clip, or all as one with a model that takes several.

    Yields float32 frames (b, 3, size, size) in [0, 1] on `device`, in order, one batch after another; the
    memory it takes does not depend on the clip's length. Raises InputError for inputs it cannot use.
    """
    options, hooks = options or AnimateOptions(), hooks or Hooks()
    session = partial(start_session, animator, source, clip, device, options)
    return in_batches(lambda: session().pictures(options, hooks), clip, options.batch, hooks)


def animate_mapped(
    animator: MappingAnimator,
    source: Tensor,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
) -> Iterator[Mapped]:
    """`animate` for those who want the maps behind the pictures too."""
    options, hooks = options or AnimateOptions(), hooks or Hooks()
    session = partial(start_session, animator, source, clip, device, options)
    return in_batches(lambda: session().mapped(hooks), clip, options.batch, hooks)


def in_batches(
    start: Callable[[], Callable[[Tensor], Iterator[T]]], clip: Clip, batch: int, hooks: Hooks
) -> Iterator[T]:
    """The results of the function that `start` makes, for `batch` frames of a clip after another.

    Memory is freed however this is left. No variable here holds the function, so that what it holds is gone by then.
    """

    def chunks() -> Iterator[Tensor]:
        for chunk in clip.chunks(batch):
            hooks.check_cancelled()
            yield chunk

    try:
        yield from chain.from_iterable(map(start(), chunks()))
    finally:
        hooks.free_memory()


@dataclass(frozen=True, slots=True)
class Session:
    """One source and one clip, with all that is worked out once."""

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat

    @inference_mode()
    def motion(self, frames: Tensor) -> Motion:
        """The poses that the source takes for driving frames (B, H, W, C)."""
        return self.retargeter(self.animator.motion(self.format.convert(frames, DRIVING)))

    @inference_mode()
    def render(self, frames: Tensor) -> Tensor:
        """Driving frames (B, H, W, C) -> pictures (B, 3, size, size)."""
        return self.animator.render(self.prepared, self.motion(frames)).float().clamp_(0, 1)

    @inference_mode()
    def render_mapped(self, frames: Tensor) -> Mapped:
        """The same from a `MappingAnimator`, with its maps."""
        mapped = cast(MappingAnimator, self.animator).render_mapped(self.prepared, self.motion(frames))
        return replace(mapped, pictures=mapped.pictures.float().clamp_(0, 1))

    def pictures(self, options: AnimateOptions, hooks: Hooks) -> Callable[[Tensor], Iterator[Tensor]]:
        """`render` in as many parts as memory asks for, or pixels one by one where the model can decode them so."""
        back_off = hooks.back_off()
        if not isinstance(self.animator, PixelAnimator):
            return partial(back_off.run, self.render)
        at_once = pixels_at_once(options.max_pixels, self.animator.spec.query_bytes, self.format.device)
        pixels = BackOff(hooks.free_memory, "pixels")
        by_pixel = PixelRenderer(self.animator, self.prepared, self.format.size, at_once, pixels, hooks.check_cancelled)
        return lambda frames: chain.from_iterable(map(by_pixel.frames, back_off.run(self.motion, frames)))

    def mapped(self, hooks: Hooks) -> Callable[[Tensor], Iterator[Mapped]]:
        """`render_mapped` likewise."""
        return partial(hooks.back_off().run, self.render_mapped)


USUAL_MODE = "relative"
SOURCE, DRIVING = "source_image", "driving_video_input"


@inference_mode()
def start_session(
    animator: Animator, source: Pictures, clip: Clip, device: torch.device, options: AnimateOptions
) -> Session:
    """Check the inputs, encode the source and read the anchor's pose."""
    check_clip(source, clip, options)
    mode, size = checked_mode(animator, options), working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    prepared = animator.prepare(_source(animator, source, format_))
    own = own_retargeting(animator, options.retargeting)
    if own is not None:
        retargeter = Retargeter(options.retargeting, prepared.motion, anchor=None, own=partial(own, prepared))
    else:
        anchor = animator.motion(format_.convert(clip.frame(options.anchor), DRIVING)) if mode == "relative" else None
        retargeter = Retargeter.for_clip(options.retargeting, prepared.motion, anchor)
    return Session(animator, prepared, retargeter, format_)


def own_retargeting(animator: Animator, retargeting: Retargeting) -> Callable[[Prepared, Motion], Motion] | None:
    """The model's own way from driving poses to the source's, where what was asked for takes one."""
    if retargeting.mode == "avd":
        return cast(AVDAnimator, animator).avd
    if retargeting.mode == "standard" and retargeting.background and animator.spec.has_background:
        return cast(BackgroundAnimator, animator).move_background
    return None


def _source(animator: Animator, source: Pictures, format_: FrameFormat) -> Tensor:
    """What `prepare` is given: (S, 3, H, W), of which S is 1 but for `several_sources`."""
    if not animator.spec.several_sources:
        return format_.convert(first_picture(source), SOURCE)
    return torch.cat([format_.convert(part, name) for name, part in _named(source)])


def _named(source: Pictures) -> list[tuple[str, Tensor]]:
    """Every batch of source pictures, each by the name of its input."""
    parts = [source] if isinstance(source, Tensor) else source
    return [(SOURCE if i == 1 else f"{SOURCE}_{i}", part) for i, part in enumerate(parts, 1)]


def first_picture(source: Pictures) -> Tensor:
    """The picture to animate, of one or more batches (B, H, W, C), or of pictures alone (H, W, C)."""
    first = source if isinstance(source, Tensor) else source[0]
    return first[:1] if first.ndim > 3 else first


def check_clip(source: Pictures, clip: Clip, options: AnimateOptions) -> None:
    """Refuse what is empty, an anchor outside the clip, and numbers below 1."""
    for name, part in _named(source):
        if part.ndim > 3 and part.shape[0] == 0:
            raise InputError(f"{name} has 0 pictures; 1 is needed. Check the picture loader.")
    if len(clip) == 0:
        raise InputError(f"{DRIVING} has 0 frames; at least 1 is needed. Check the video loader's frame limits.")
    if not 0 <= options.anchor < len(clip):
        raise InputError(f"The anchor frame is {options.anchor}; the clip has frames 0 to {len(clip) - 1}.")
    if options.batch < 1:
        raise InputError(f"The batch size is {options.batch}; 1 or more was wanted.")
    if options.max_pixels < 1:
        raise InputError(f"max_num_pixels is {options.max_pixels}; 1 or more was wanted.")


def working_size(animator: Animator, options: AnimateOptions) -> int:
    """The side to work at: the one asked for, else the model's own, rounded up to what the network can divide.

    Raises InputError where a size that was asked for does not divide, or is not the only one there is.
    """
    spec = animator.spec
    size = -(-spec.size // spec.multiple) * spec.multiple if options.size is None else options.size
    if size < spec.multiple or size % spec.multiple:
        near = spec.size if spec.fixed_size else max(spec.multiple, round(size / spec.multiple) * spec.multiple)
        raise InputError(f"The size is {size}; {spec.name} needs a multiple of {spec.multiple}. Try {near}.")
    if spec.fixed_size and size != spec.size:
        raise InputError(
            f"The size is {size}; {spec.name} works at {spec.size} alone. Leave the size alone, and enlarge the result."
        )
    return size


def checked_mode(animator: Animator, options: AnimateOptions) -> str:
    """The retargeting mode; raises InputError where the model does not offer it."""
    mode, modes = options.retargeting.mode, animator.spec.modes
    if mode is None:
        return USUAL_MODE if USUAL_MODE in modes else modes[0]
    if mode not in modes:
        hint = " It takes weights that carry an avd_network." if mode == "avd" else ""
        raise InputError(f"The mode is {mode!r}; {animator.spec.name} offers {', '.join(modes)}.{hint}")
    return mode
