"""`animate`: the one driver that every architecture, node and command runs through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.precision import inference_mode
from ..core.types import Animator, AVDAnimator, Clip, Prepared
from .backoff import BackOff
from .frames import FrameFormat
from .retarget import Retargeter, Retargeting


def _nothing(*_: int) -> None:
    """The default hook."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the surroundings lend the driver: `check_cancelled` raises to stop, `free_memory` empties caches.

    `memory_ran_out` hears how many frames at once are tried from then on.
    """

    check_cancelled: Callable[[], None] = _nothing
    free_memory: Callable[[], None] = _nothing
    memory_ran_out: Callable[[int], None] = _nothing


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
    options, hooks = options or AnimateOptions(), hooks or Hooks()
    try:
        yield from _batches(animator, source, clip, device, options, hooks)
    finally:
        hooks.free_memory()


def _batches(
    animator: Animator, source: Tensor, clip: Clip, device: torch.device, options: AnimateOptions, hooks: Hooks
) -> Iterator[Tensor]:
    """A generator of its own, so that the session is gone when `animate` frees the memory it took."""
    session = start_session(animator, source, clip, device, options)
    back_off = BackOff(hooks.free_memory, hooks.memory_ran_out)
    for chunk in clip.chunks(options.batch):
        hooks.check_cancelled()
        yield from back_off.run(session.render, chunk)


@dataclass(frozen=True, slots=True)
class Session:
    """One source and one clip, with all that is worked out once."""

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat

    @inference_mode()
    def render(self, frames: Tensor) -> Tensor:
        """Driving frames (B, H, W, C) -> pictures (B, 3, size, size)."""
        motion = self.retargeter(self.animator.motion(self.format.convert(frames, DRIVING)))
        return self.animator.render(self.prepared, motion).float().clamp_(0, 1)


SOURCE, DRIVING = "source_image", "driving_video_input"


@inference_mode()
def start_session(
    animator: Animator, source: Tensor, clip: Clip, device: torch.device, options: AnimateOptions
) -> Session:
    """Check the inputs, encode the source and read the anchor's pose."""
    check_clip(source, clip, options)
    mode, size = checked_mode(animator, options), working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    prepared = animator.prepare(format_.convert(first_picture(source), SOURCE))
    if mode == "avd":
        avd = partial(cast(AVDAnimator, animator).avd, prepared)
        retargeter = Retargeter(options.retargeting, prepared.motion, anchor=None, avd=avd)
    else:
        anchor = animator.motion(format_.convert(clip.frame(options.anchor), DRIVING)) if mode == "relative" else None
        retargeter = Retargeter.for_clip(options.retargeting, prepared.motion, anchor)
    return Session(animator, prepared, retargeter, format_)


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

    Raises InputError where a size that was asked for does not divide.
    """
    multiple = animator.spec.multiple
    size = -(-animator.spec.size // multiple) * multiple if options.size is None else options.size
    if size < multiple or size % multiple:
        near = max(multiple, round(size / multiple) * multiple)
        raise InputError(f"The size is {size}; {animator.spec.name} needs a multiple of {multiple}. Try {near}.")
    return size


def checked_mode(animator: Animator, options: AnimateOptions) -> str:
    """The retargeting mode; raises InputError where the model does not offer it."""
    mode, modes = options.retargeting.mode, animator.spec.modes
    if mode not in modes:
        hint = " It takes weights that carry an avd_network." if mode == "avd" else ""
        raise InputError(f"The mode is {mode!r}; {animator.spec.name} offers {', '.join(modes)}.{hint}")
    return mode
