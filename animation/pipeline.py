"""`animate`: the one driver that every architecture, node and command runs through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Animator, AVDAnimator, Clip, Motion, PixelAnimator, Prepared
from .backoff import BackOff
from .frames import FrameFormat
from .pixels import PixelRenderer, pixels_at_once
from .retarget import Retargeter, Retargeting


def _nothing() -> None:
    """The default hook."""


Pictures = Tensor | Sequence[Tensor]
"""Source pictures (B, H, W, C), or several such of different sizes."""


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
    try:
        yield from _batches(animator, source, clip, device, options, hooks)
    finally:
        hooks.free_memory()


def _batches(
    animator: Animator, source: Pictures, clip: Clip, device: torch.device, options: AnimateOptions, hooks: Hooks
) -> Iterator[Tensor]:
    """A generator of its own, so that the session is gone when `animate` frees the memory it took."""
    session = start_session(animator, source, clip, device, options)
    back_off, by_pixel = BackOff(hooks.free_memory), session.by_pixel(options, hooks)
    for chunk in clip.chunks(options.batch):
        hooks.check_cancelled()
        if by_pixel is None:
            yield from back_off.run(session.render, chunk)
            continue
        for motion in back_off.run(session.motion, chunk):
            yield from by_pixel.frames(motion)


@dataclass(frozen=True, slots=True)
class Session:
    """One source and one clip, with all that is worked out once."""

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat

    @torch.inference_mode()
    def motion(self, frames: Tensor) -> Motion:
        """The poses that the source takes for driving frames (B, H, W, C)."""
        return self.retargeter(self.animator.motion(self.format.convert(frames, DRIVING)))

    @torch.inference_mode()
    def render(self, frames: Tensor) -> Tensor:
        """Driving frames (B, H, W, C) -> pictures (B, 3, size, size)."""
        return self.animator.render(self.prepared, self.motion(frames)).float().clamp_(0, 1)

    def by_pixel(self, options: AnimateOptions, hooks: Hooks) -> PixelRenderer | None:
        """How to render instead, where the model can decode pixels one by one."""
        if not isinstance(self.animator, PixelAnimator):
            return None
        at_once = pixels_at_once(options.max_pixels, self.animator.spec.query_bytes, self.format.device)
        back_off = BackOff(hooks.free_memory, "pixels")
        return PixelRenderer(self.animator, self.prepared, self.format.size, at_once, back_off, hooks.check_cancelled)


SOURCE, DRIVING = "source_image", "driving_video_input"


@torch.inference_mode()
def start_session(
    animator: Animator, source: Pictures, clip: Clip, device: torch.device, options: AnimateOptions
) -> Session:
    """Check the inputs, encode the source and read the anchor's pose."""
    check_clip(source, clip, options)
    mode, size = checked_mode(animator, options), working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    prepared = animator.prepare(_source(animator, source, format_))
    if mode == "avd":
        avd = partial(cast(AVDAnimator, animator).avd, prepared)
        retargeter = Retargeter(options.retargeting, prepared.motion, anchor=None, avd=avd)
    else:
        anchor = animator.motion(format_.convert(clip.frame(options.anchor), DRIVING)) if mode == "relative" else None
        retargeter = Retargeter.for_clip(options.retargeting, prepared.motion, anchor)
    return Session(animator, prepared, retargeter, format_)


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
