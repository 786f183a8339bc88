"""Driver `animate`, through which every architecture, node and command runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.inference.precision import inference_mode
from ..core.types import Animator, Clip, Mapped, Motion, Prepared
from .finite import mark_not_finite
from .frames import FrameFormat
from .out_of_memory import BackOff, try_twice
from .pixels import PixelRenderer, pixels_at_once
from .retarget import Retargeter, Retargeting

log = logging.getLogger(__name__)

DEFAULT_BATCH = 8  # where none was chosen, by a caller or by free memory
DEFAULT_MODE = "relative"
SOURCE, DRIVING, ANCHOR = "source", "driving", "anchor"  # parameters, in error messages

T = TypeVar("T")

Pictures = Tensor | Sequence[Tensor]
"""Source pictures (B, H, W, C), or several such of different sizes."""


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
    that decodes them singly, None for the default. Both change nothing but speed and memory.
    """

    retargeting: Retargeting = field(default_factory=Retargeting)
    anchor: int | Tensor = 0
    size: int | None = None
    antialias: bool = False
    batch: int | None = None
    max_pixels: int | None = None


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
    return _run(Session.pictures, animator, source, clip, device, options, hooks)


def animate_mapped(
    animator: Animator,
    source: Pictures,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
) -> Iterator[Mapped]:
    """Animate as `animate` does, and yield with each batch the maps behind its pictures."""
    return _run(Session.mapped_pictures, animator, source, clip, device, options, hooks)


def animate_several(
    animator: Animator,
    sources: Sequence[tuple[Pictures, AnimateOptions]],
    clip: Clip,
    device: torch.device,
    hooks: Hooks | None = None,
) -> Iterator[Tensor]:
    """Animate several sources, each with its options as `animate` does, with one clip, whose poses are read once.

    Yields for every batch of frames the pictures of all sources (b, sources, 3, size, size); the first one's options
    decide on the batch.
    """
    hooks = hooks or Hooks()
    warn_of_size(animator, sources[0][1])
    sessions: list[Session] = []
    try:
        sessions += [Session.start(animator, source, clip, device, options, hooks) for source, options in sources]
        for chunk in hooks.chunks(clip, sources[0][1].batch):
            for poses in sessions[0].back_off.run(sessions[0].poses, chunk):
                yield torch.stack([torch.cat([*session.draw(poses)]) for session in sessions], dim=1)
    finally:
        sessions.clear()  # before memory is freed, as they hold some
        hooks.free_memory()


def _run(
    draw: Callable[[Session, Tensor], Iterator[T]],
    animator: Animator,
    source: Pictures,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None,
    hooks: Hooks | None,
) -> Iterator[T]:
    """Yield what `draw` makes of each chunk of a clip; however this is left, memory is freed."""
    options, hooks = options or AnimateOptions(), hooks or Hooks()
    warn_of_size(animator, options)
    session: Session | None = None
    try:
        session = Session.start(animator, source, clip, device, options, hooks)
        for chunk in hooks.chunks(clip, options.batch):
            yield from draw(session, chunk)
    finally:
        session = None  # before memory is freed, as it holds some
        hooks.free_memory()


@dataclass(frozen=True, slots=True)
class Session:
    """State of one animation: a source and a clip, with everything that is computed once.

    `back_off` halves batches of frames where memory runs out; `by_pixel` renders for models that decode pixels singly.
    """

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat
    back_off: BackOff
    by_pixel: PixelRenderer | None

    @classmethod
    @inference_mode()
    def start(
        cls,
        animator: Animator,
        source: Pictures,
        clip: Clip,
        device: torch.device,
        options: AnimateOptions,
        hooks: Hooks,
    ) -> Session:
        """Check the inputs, encode the source and read the anchor's pose."""
        check_clip(source, clip, options)
        size = working_size(animator, options)
        format_ = FrameFormat((size, size), device, options.antialias)
        prepared = try_twice(
            lambda: animator.prepare(_source(animator, source, format_)), hooks.free_memory, "encoding the source"
        )
        retargeter = _retargeter(animator, prepared, clip, format_, options, hooks)
        by_pixel: PixelRenderer | None = None
        if animator.spec.query_bytes:
            at_once = pixels_at_once(options.max_pixels, animator.spec.query_bytes, device)
            back_off = BackOff(hooks.free_memory, "pixels")
            by_pixel = PixelRenderer(animator, prepared, format_.size, at_once, back_off, hooks.check_cancelled)
        return cls(animator, prepared, retargeter, format_, hooks.back_off(), by_pixel)

    @inference_mode()
    def poses(self, frames: Tensor) -> Motion:
        """Read the poses of driving frames (B, H, W, C)."""
        return self.animator.motion(self.format.convert(frames, DRIVING))

    @inference_mode()
    def retargeted(self, poses: Motion) -> Motion:
        """Compute the poses that the source takes for driving poses."""
        return self.retargeter(poses)

    @inference_mode()
    def render(self, poses: Motion) -> Tensor:
        """Draw the source as driving poses ask: (B, 3, size, size)."""
        motion = self.retargeter(poses)
        pictures = self.animator.render(self.prepared, motion).float().clamp_(0, 1)
        return mark_not_finite(pictures, self.animator, self.prepared, motion)

    @inference_mode()
    def render_mapped(self, frames: Tensor) -> Mapped:
        """Turn driving frames into pictures, with the maps behind them."""
        motion = self.retargeter(self.poses(frames))
        mapped = self.animator.render_mapped(self.prepared, motion)
        pictures = mapped.pictures.float().clamp_(0, 1)
        return replace(mapped, pictures=mark_not_finite(pictures, self.animator, self.prepared, motion))

    def pictures(self, frames: Tensor) -> Iterator[Tensor]:
        """Render a batch in as many parts as memory requires."""
        for poses in self.back_off.run(self.poses, frames):
            yield from self.draw(poses)

    def draw(self, poses: Motion) -> Iterator[Tensor]:
        """Draw driving poses in as many parts as memory requires, or pixel by pixel where the model decodes so."""
        if self.by_pixel is None:
            yield from self.back_off.run(self.render, poses)
        else:
            yield from self.by_pixel.frames(self.retargeted(poses))

    def mapped_pictures(self, frames: Tensor) -> Iterator[Mapped]:
        """Render a batch with its maps in as many parts as memory requires."""
        yield from self.back_off.run(self.render_mapped, frames)


def _retargeter(
    animator: Animator, prepared: Prepared, clip: Clip, format_: FrameFormat, options: AnimateOptions, hooks: Hooks
) -> Retargeter:
    """Make the retargeting of a clip, with the anchor's pose where one is needed."""
    mode, own = resolve_mode(animator, options), model_retargeting(animator, options.retargeting)
    if own is not None:
        return Retargeter(options.retargeting, prepared.motion, anchor=None, own=partial(own, prepared))
    if mode != "relative":
        return Retargeter.for_clip(options.retargeting, prepared.motion, anchor=None)
    frame, name = anchor_frame(clip, options)
    anchor = try_twice(
        lambda: animator.motion(format_.convert(frame, name)), hooks.free_memory, "reading the anchor's pose"
    )
    return Retargeter.for_clip(options.retargeting, prepared.motion, anchor)


def model_retargeting(animator: Animator, retargeting: Retargeting) -> Callable[[Prepared, Motion], Motion] | None:
    """Return the model's own mapping from driving poses to the source's; None if the mode needs none."""
    if retargeting.mode == "avd":
        return animator.avd
    if retargeting.mode == "standard" and retargeting.background and animator.spec.has_background:
        return animator.move_background
    return None


def _source(animator: Animator, source: Pictures, format_: FrameFormat) -> Tensor:
    """Convert the pictures for `prepare`: (S, 3, H, W), where S is 1 unless the model takes `several_sources`."""
    if not animator.spec.several_sources:
        return format_.convert(first_picture(source), SOURCE)
    return torch.cat([format_.convert(part, name) for name, part in _named(source)])


def _named(source: Pictures) -> list[tuple[str, Tensor]]:
    """Pair every batch of source pictures with the name of its parameter."""
    parts = [source] if isinstance(source, Tensor) else source
    return [(SOURCE if i == 1 else f"{SOURCE}_{i}", part) for i, part in enumerate(parts, 1)]


def first_picture(source: Pictures) -> Tensor:
    """Pick the picture to animate, of one or more batches (B, H, W, C), or of pictures alone (H, W, C)."""
    first = source if isinstance(source, Tensor) else source[0]
    return first[:1] if first.ndim > 3 else first


def anchor_frame(clip: Clip, options: AnimateOptions) -> tuple[Tensor, str]:
    """Return the frame (1, H, W, C) that relative motion is measured from, and the name of its parameter."""
    if isinstance(options.anchor, Tensor):
        return first_picture(options.anchor), ANCHOR
    return clip.frame(options.anchor), DRIVING


def check_clip(source: Pictures, clip: Clip, options: AnimateOptions) -> None:
    """Raise InputError for empty inputs, an anchor outside the clip, and limits below 1."""
    for name, part in _named(source):
        if part.ndim > 3 and part.shape[0] == 0:
            raise InputError("has 0 pictures; 1 is needed. Check the picture loader.", name)
    if len(clip) == 0:
        raise InputError("has 0 frames; at least 1 is needed. Check the video loader's frame limits.", DRIVING)
    if not isinstance(options.anchor, Tensor) and not 0 <= options.anchor < len(clip):
        raise InputError(f"is {options.anchor}; the clip has frames 0 to {len(clip) - 1}. Choose one.", "anchor")
    for name, number in (("batch", options.batch), ("max_pixels", options.max_pixels)):
        if number is not None and number < 1:
            raise InputError(f"is {number}; 1 or more was wanted. Leave it out for a number that fits.", name)


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


def warn_of_size(animator: Animator, options: AnimateOptions) -> None:
    """Log that the requested size is not the one that the weights were trained at, where that is so."""
    if options.size is not None and options.size != animator.spec.size:
        log.warning(
            "%s was trained at %d pixels and works at %d: pictures may come apart. Enlarge the result instead.",
            animator.spec.name, animator.spec.size, options.size,
        )  # fmt: skip


def resolve_mode(animator: Animator, options: AnimateOptions) -> str:
    """Return the retargeting mode; raises InputError where the model does not offer it."""
    mode, modes = options.retargeting.mode, animator.spec.modes
    if mode is None:
        return DEFAULT_MODE if DEFAULT_MODE in modes else modes[0]
    if mode not in modes:
        hint = " It takes weights that carry an avd_network." if mode == "avd" else ""
        raise InputError(f"is {mode!r}; {animator.spec.name} offers {', '.join(modes)}.{hint}", "mode")
    return mode
