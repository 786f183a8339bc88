"""State of one animation, and the steps that turn driving frames into pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.inference.precision import inference_mode
from ..core.types import Animator, Clip, Mapped, Motion, Prepared
from .detail import DetailedSource, FineDetail
from .finite import mark_not_finite
from .frames import ClipFrom, FrameFormat
from .motion.controls import Controls, controlled, refuse_controls
from .motion.smoothing import join, reach_of, smoothed, without_first
from .motion.track import MotionTrack, poses_alone, refuse_reading
from .moving import REPLACE, FrameSupply, Source, is_moving
from .options import (
    DEFAULT_BATCH,
    DRIVING,
    RESULT,
    SOURCE,
    AnimateOptions,
    Hooks,
    anchor_frame,
    check_clip,
    first_picture,
    named_pictures,
    resolve_mode,
    result_size,
    warn_of_detail,
    working_size,
)
from .out_of_memory import BackOff, try_twice
from .pixels import PixelRenderer, pixels_at_once
from .retarget import Retargeter, Retargeting


@dataclass(frozen=True, slots=True)
class Step:
    """Driving poses that are drawn together; `frames` (B, H, W, C) are those of a source that moves, one for each."""

    poses: Motion
    frames: Tensor | None = None

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, rows: slice) -> Step:
        """Select some of the poses."""
        return Step(self.poses[rows], None if self.frames is None else self.frames[rows])


@dataclass(frozen=True, slots=True)
class Session:
    """State of one animation: a source and a clip, with everything that is computed once.

    `prepared` is the source's state, or that of the first frame of a source that moves, which is `moving`. `back_off`
    halves batches of frames where memory runs out; `by_pixel` renders for models that decode pixels singly. `detail`
    is None where results show none beyond the model's; `detailed` is the source, or its first frame, in both sizes.
    """

    animator: Animator
    prepared: Prepared
    retargeter: Retargeter
    format: FrameFormat
    back_off: BackOff
    by_pixel: PixelRenderer | None
    options: AnimateOptions
    moving: Clip | None = None
    detail: FineDetail | None = None
    detailed: DetailedSource | None = None

    @classmethod
    @inference_mode()
    def start(
        cls,
        animator: Animator,
        source: Source,
        clip: Clip,
        device: torch.device,
        options: AnimateOptions,
        hooks: Hooks,
    ) -> Session:
        """Check the inputs, encode the source and read the anchor's pose."""
        check_clip(source, clip, options)
        refuse_controls(animator.spec, options.controls)
        size = working_size(animator, options)
        format_ = FrameFormat((size, size), device, options.antialias)
        prepared = try_twice(
            lambda: animator.prepare(_pictures(animator, source, format_)), hooks.free_memory, "encoding the source"
        )
        if isinstance(clip, MotionTrack):
            refuse_track(clip, animator, prepared.motion, options)
        retargeter = _retargeter(animator, prepared, clip, format_, options, hooks)
        by_pixel: PixelRenderer | None = None
        if animator.spec.query_bytes:
            at_once = pixels_at_once(options.max_pixels, animator.spec.query_bytes, device)
            back_off = BackOff(hooks.free_memory, "pixels")
            by_pixel = PixelRenderer(animator, prepared, format_.size, at_once, back_off, hooks.check_cancelled)
        moving = source if is_moving(source) else None
        detail = _detail(animator, source, device, options)
        detailed = detail and try_twice(
            lambda: detail.read(first_picture(source), SOURCE), hooks.free_memory, "reading the source's detail"
        )
        return cls(
            animator, prepared, retargeter, format_, hooks.back_off(), by_pixel, options, moving, detail, detailed
        )

    def steps(self, clip: Clip, hooks: Hooks, start: int = 0) -> Iterator[Step]:
        """Read the poses of a clip, without its first `start` frames, and join them with the frames of the source."""
        frames = self.source_frames(start)
        for poses in self.poses_of(clip, hooks, start):
            yield Step(poses, frames.take(len(poses)))

    def poses_of(self, clip: Clip, hooks: Hooks, start: int = 0) -> Iterator[Motion]:
        """Read the poses of a clip, without its first `start` frames, and smooth them over time as is wished."""
        seconds, rate = self.options.controls.smoothing, self.options.rate
        before = min(start, reach_of(seconds, rate))  # frames that those after `start` are smoothed by
        poses = smoothed(self._read(clip, hooks, start - before), seconds, rate, self.animator.spec, len(clip))
        return poses if not before else without_first(poses, before)

    def _read(self, clip: Clip, hooks: Hooks, start: int) -> Iterator[Motion]:
        """Read poses as they are, in as many parts as memory requires."""
        if isinstance(clip, MotionTrack):
            for poses in clip.poses(start, self.options.batch or DEFAULT_BATCH, self.format.device):
                hooks.check_cancelled()
                yield poses
            return
        yield from _poses_of(
            self.animator, ClipFrom(clip, start), self.format, self.options.batch, self.back_off, hooks
        )

    def read(self, frames: Tensor) -> Motion:
        """Read the poses of driving frames (B, H, W, C), in as many parts as memory requires."""
        return join([*self.back_off.run(partial(_read_frames, self.animator, self.format), frames)])

    def measured_from(self, anchor: Motion) -> Session:
        """Return the session with movement measured from another driving pose, in a mode that measures it from any."""
        if self.retargeter.anchor is None:
            return self
        own = self.retargeter
        return replace(self, retargeter=Retargeter.for_clip(own.settings, own.source, anchor))

    def controlled_by(self, controls: Controls) -> Session:
        """Return the session with other controls of motion; raises InputError where the model takes none."""
        refuse_controls(self.animator.spec, controls)
        return replace(self, options=replace(self.options, controls=controls))

    def source_frames(self, start: int) -> FrameSupply:
        """Open the frames of a source that moves, from frame `start` on; of one that does not there are none."""
        return FrameSupply(self.moving, start, self.options.batch or DEFAULT_BATCH)

    @inference_mode()
    def posed(self, step: Step) -> tuple[Prepared, Motion]:
        """Encode the frames of a source that moves, and compute the poses that the source takes."""
        prepared = self.prepared
        if step.frames is not None:
            prepared = self.animator.prepare(self.format.convert(step.frames, SOURCE))
        retargeter = self._retargeter_for(step, prepared)
        own = retargeter.source if self.options.moving.motion == REPLACE else prepared.motion
        return prepared, controlled(self.options.controls, own, retargeter(step.poses), self.animator.spec)

    def _retargeter_for(self, step: Step, prepared: Prepared) -> Retargeter:
        """Return the retargeting for one step; that of a source that moves starts from the poses of its frames."""
        if step.frames is None:
            return self.retargeter
        own = model_retargeting(self.animator, self.options.retargeting)
        if own is not None:
            return replace(self.retargeter, own=partial(own, prepared))
        return self.retargeter if self.options.moving.motion == REPLACE else self.retargeter.of(prepared.motion)

    @inference_mode()
    def render(self, step: Step) -> Tensor:
        """Draw the source as driving poses ask: (B, 3, size, size)."""
        if self.detail is not None:
            return self.render_mapped(step).pictures
        prepared, motion = self.posed(step)
        pictures = self.animator.render(prepared, motion).float().clamp_(0, 1)
        return mark_not_finite(pictures, self.animator, prepared, motion)

    @inference_mode()
    def render_mapped(self, step: Step) -> Mapped:
        """Draw as `render` does, with the maps behind the pictures."""
        prepared, motion = self.posed(step)
        mapped = self.animator.render_mapped(prepared, motion)
        pictures = self._with_detail(mapped, step)
        points = {SOURCE: prepared.motion.points, DRIVING: step.poses.points, RESULT: motion.points}
        return Mapped(mark_not_finite(pictures, self.animator, prepared, motion), mapped.maps, points)

    def _with_detail(self, mapped: Mapped, step: Step) -> Tensor:
        """Return finished pictures in [0, 1], at the side of results."""
        if self.detail is None or self.detailed is None:
            return mapped.pictures.float().clamp_(0, 1)
        source = self.detailed if step.frames is None else self.detail.read(step.frames, SOURCE)
        return self.detail.add(mapped, source)

    def draw(self, step: Step) -> Iterator[Tensor]:
        """Draw driving poses in as many parts as memory requires, or pixel by pixel where the model decodes so."""
        if self.by_pixel is None:
            yield from self.back_off.run(self.render, step)
            return
        for part in [step] if step.frames is None else (step[i : i + 1] for i in range(len(step))):
            prepared, motion = self.posed(part)  # several sources would be taken for pictures of one face
            yield from replace(self.by_pixel, prepared=prepared).frames(motion)

    def draw_mapped(self, step: Step) -> Iterator[Mapped]:
        """Draw driving poses with the maps behind the pictures, in as many parts as memory requires."""
        yield from self.back_off.run(self.render_mapped, step)


def _retargeter(
    animator: Animator, prepared: Prepared, clip: Clip, format_: FrameFormat, options: AnimateOptions, hooks: Hooks
) -> Retargeter:
    """Make the retargeting of a clip, with the anchor's pose where one is needed."""
    mode, own = resolve_mode(animator, options), model_retargeting(animator, options.retargeting)
    if own is not None:
        return Retargeter(options.retargeting, prepared.motion, anchor=None, own=partial(own, prepared))
    if mode != "relative":
        return Retargeter.for_clip(options.retargeting, prepared.motion, anchor=None)
    if isinstance(clip, MotionTrack) and not isinstance(options.anchor, Tensor):
        return Retargeter.for_clip(options.retargeting, prepared.motion, clip.pose(options.anchor, format_.device))
    frame, name = anchor_frame(clip, options)
    anchor = try_twice(
        lambda: animator.motion(format_.convert(frame, name)), hooks.free_memory, "reading the anchor's pose"
    )
    return Retargeter.for_clip(options.retargeting, prepared.motion, anchor)


def refuse_track(track: MotionTrack, animator: Animator, own: Motion, options: AnimateOptions) -> None:
    """Raise InputError for motion that is not made as the model's poses are, and where its pictures are needed too."""
    track.refuse_other_shape(own, animator.spec)
    if options.retargeting.background and model_retargeting(animator, options.retargeting) is not None:
        raise InputError(
            f"was given; {animator.spec.name} reads the background off the driving pictures, and {track.path} is "
            "movement without any. Leave it out, or give the clip.",
            "background",
        )


@inference_mode()
def read_poses(animator: Animator, clip: Clip, device: torch.device, options: AnimateOptions, hooks: Hooks) -> Motion:
    """Read the poses of a whole clip, on the CPU, without anything that does not describe them.

    Raises InputError for a clip of no frames, and for a model that needs the pictures themselves.
    """
    refuse_reading(animator.spec, len(clip))
    size = working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    poses = _poses_of(animator, clip, format_, options.batch, hooks.back_off(), hooks)
    return join([poses_alone(part, animator.spec) for part in poses])


def _poses_of(
    animator: Animator, clip: Clip, format_: FrameFormat, batch: int | None, back_off: BackOff, hooks: Hooks
) -> Iterator[Motion]:
    """Read the poses of a clip's frames, in as many parts as memory requires."""
    for chunk in hooks.chunks(clip, batch):
        yield from back_off.run(partial(_read_frames, animator, format_), chunk)


@inference_mode()
def _read_frames(animator: Animator, format_: FrameFormat, frames: Tensor) -> Motion:
    return animator.motion(format_.convert(frames, DRIVING))


def _detail(animator: Animator, source: Source, device: torch.device, options: AnimateOptions) -> FineDetail | None:
    """Make the settings of fine detail; None where the results are to show none beyond the model's."""
    picture = first_picture(source)
    side = result_size(animator, max(picture.shape[-3:-1]), options)
    warn_of_detail(side, animator, options)
    return FineDetail(options.detail, side, working_size(animator, options), device) if options.detail else None


def model_retargeting(animator: Animator, retargeting: Retargeting) -> Callable[[Prepared, Motion], Motion] | None:
    """Return the model's own mapping from driving poses to the source's; None if the mode needs none."""
    if retargeting.mode == "avd":
        return animator.avd
    if retargeting.mode == "standard" and retargeting.background and animator.spec.has_background:
        return animator.move_background
    return None


def _pictures(animator: Animator, source: Source, format_: FrameFormat) -> Tensor:
    """Convert the pictures for `prepare`: (S, 3, H, W), where S is 1 unless the model takes `several_sources`."""
    if is_moving(source) or not animator.spec.several_sources:
        return format_.convert(first_picture(source), SOURCE)
    return torch.cat([format_.convert(part, name) for name, part in named_pictures(source)])
