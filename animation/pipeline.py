"""`animate`: the one driver that every architecture, node and command runs through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, cast

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.types import (
    Animator,
    AVDAnimator,
    BackgroundAnimator,
    Clip,
    Mapped,
    MappingAnimator,
    Motion,
    Prepared,
)
from .backoff import BackOff
from .frames import FrameFormat
from .retarget import Retargeter, Retargeting

T = TypeVar("T")


def _nothing() -> None:
    """The default hook."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the surroundings lend the driver: `check_cancelled` raises to stop, `free_memory` empties caches."""

    check_cancelled: Callable[[], None] = _nothing
    free_memory: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class AnimateOptions:
    """Everything a user may choose that is not the model.

    `anchor` is the index of the driving frame that relative motion is measured from. `size` is the side in
    pixels to work at, None for the model's own. `batch` frames are worked on at once; it changes nothing but
    speed and memory.
    """

    retargeting: Retargeting = field(default_factory=Retargeting)
    anchor: int = 0
    size: int | None = None
    antialias: bool = False
    batch: int = 8


def animate(
    animator: Animator,
    source: Tensor,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
) -> Iterator[Tensor]:
    """Animate the first of the source pictures (B, H, W, C) with a clip.

    Yields float32 frames (b, 3, size, size) in [0, 1] on `device`, in order, one batch after another; the
    memory it takes does not depend on the clip's length. Raises InputError for inputs it cannot use.
    """
    options = options or AnimateOptions()
    start = partial(start_session, animator, source, clip, device, options)
    return _driven(start, Session.render, clip, options.batch, hooks or Hooks())


def animate_mapped(
    animator: MappingAnimator,
    source: Tensor,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
) -> Iterator[Mapped]:
    """`animate` for those who want the maps behind the pictures too."""
    options = options or AnimateOptions()
    start = partial(start_session, animator, source, clip, device, options)
    return _driven(start, Session.render_mapped, clip, options.batch, hooks or Hooks())


def _driven(
    start: Callable[[], Session],
    render: Callable[[Session, Tensor], T],
    clip: Clip,
    batch: int,
    hooks: Hooks,
) -> Iterator[T]:
    """Whatever `render` makes of every batch; memory is freed however this is left."""
    try:
        yield from _batches(start, render, clip, batch, hooks)
    finally:
        hooks.free_memory()


def _batches(
    start: Callable[[], Session],
    render: Callable[[Session, Tensor], T],
    clip: Clip,
    batch: int,
    hooks: Hooks,
) -> Iterator[T]:
    """A generator of its own, so that the session is gone when `_driven` frees the memory it took."""
    session = start()
    back_off = BackOff(hooks.free_memory)
    for chunk in clip.chunks(batch):
        hooks.check_cancelled()
        yield from back_off.run(partial(render, session), chunk)


@dataclass(frozen=True, slots=True)
class Session:
    """One source and one clip, with all that is worked out once."""

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat

    @torch.inference_mode()
    def render(self, frames: Tensor) -> Tensor:
        """Driving frames (B, H, W, C) -> pictures (B, 3, size, size)."""
        return self.animator.render(self.prepared, self._motion(frames)).float().clamp_(0, 1)

    @torch.inference_mode()
    def render_mapped(self, frames: Tensor) -> Mapped:
        """The same from a `MappingAnimator`, with its maps."""
        mapped = cast(MappingAnimator, self.animator).render_mapped(self.prepared, self._motion(frames))
        return replace(mapped, pictures=mapped.pictures.float().clamp_(0, 1))

    def _motion(self, frames: Tensor) -> Motion:
        return self.retargeter(self.animator.motion(self.format.convert(frames, DRIVING)))


USUAL_MODE = "relative"
SOURCE, DRIVING = "source_image", "driving_video_input"


@torch.inference_mode()
def start_session(
    animator: Animator, source: Tensor, clip: Clip, device: torch.device, options: AnimateOptions
) -> Session:
    """Check the inputs, encode the source and read the anchor's pose."""
    check_clip(source, clip, options)
    mode, size = checked_mode(animator, options), working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    prepared = animator.prepare(format_.convert(first_picture(source), SOURCE))
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


def first_picture(source: Tensor) -> Tensor:
    """The picture to animate, of a batch (B, H, W, C) or of one alone (H, W, C)."""
    return source[:1] if source.ndim > 3 else source


def check_clip(source: Tensor, clip: Clip, options: AnimateOptions) -> None:
    """Refuse what is empty and an anchor outside the clip."""
    if source.ndim > 3 and source.shape[0] == 0:
        raise InputError(f"{SOURCE} has 0 pictures; 1 is needed. Check the picture loader.")
    if len(clip) == 0:
        raise InputError(f"{DRIVING} has 0 frames; at least 1 is needed. Check the video loader's frame limits.")
    if not 0 <= options.anchor < len(clip):
        raise InputError(f"The anchor frame is {options.anchor}; the clip has frames 0 to {len(clip) - 1}.")
    if options.batch < 1:
        raise InputError(f"The batch size is {options.batch}; 1 or more was wanted.")


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
