"""Front door of the pack: one object that loads a model, optimises it for a device and animates with it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TypeVar

import torch
from torch import Tensor

from ..core.device import pick_device
from ..core.inference.precision import runs_in_16_bits
from ..core.types import Animator, Clip, LoadOptions, Mapped
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.find import WeightFiles
from . import registry
from .batch_size import choose_batch
from .best_frame import AUTO, find_best_frame, keypoints_only, landmark_finder
from .device_copy import to_cpu_async
from .engine import FLOAT32, Engine, optimize_for_inference
from .find_model import DEFAULT_MODEL, Folders, find_model
from .finite import first_not_finite, not_finite, until_not_finite
from .frames import TensorClip
from .motion.clips import shifted
from .motion.identity import ModelIdentity
from .motion.track import MotionTrack
from .moving import MovingSource, Source, as_long_as, is_moving
from .options import AnimateOptions, Hooks, check_numbers, ignore, resolve_mode, working_size
from .out_of_memory import try_twice
from .pipeline import animate, animate_mapped, animate_several
from .session import read_poses
from .unused import refuse_unused_inputs

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Source of a model: its files, as messages name them, and how it is loaded anew for exact arithmetic.

    `in_float32` returns the model optimised and on its device; `weights` are the files themselves.
    """

    files: str
    in_float32: Callable[[], Animator]
    weights: WeightFiles | None = None


class Predictor:
    """Loaded model on a device, ready to animate any number of pictures.

    >>> predictor = Predictor.load("drawn-faces")
    >>> frames = predictor.animate_tensors(source, driving)  # (1, H, W, 3) and (N, H, W, 3) -> (N, size, size, 3)

    A model whose 16-bit layers overflow is exchanged for the same in float32, for good. Several threads may draw by it.
    """

    def __init__(self, animator: Animator, device: torch.device, origin: Origin | None = None) -> None:
        """Wrap a model that was optimised for the device and moved to it; `load` does both."""
        self.animator, self.device, self.origin = animator, device, origin
        self._exchange = Lock()

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        architecture: str | None = None,
        device: str | torch.device = "auto",
        options: LoadOptions | None = None,
        engine: Engine | None = None,
        folders: Folders | None = None,
        download: bool = False,
        progress: Callable[[int, int | None], None] = ignore,
    ) -> Predictor:
        """Load weights by the path of a file or by a published name, and optimise them for a device.

        A file's architecture is read off its tensors, and that of a name that only one architecture uses is known;
        `architecture` decides otherwise. Names are looked for in `folders`, by default those of
        `model_folders.default_folders`. With `download`, published weights whose SHA-256 is known are fetched if they
        are missing; `progress` is called with the bytes so far and in total.

        Raises MissingWeightsError, CheckpointError, DownloadError, or InputError for a name, a device, an
        architecture or an option that cannot be used.
        """
        device = device if isinstance(device, torch.device) else pick_device(device)
        files, checkpoint = find_model(model, architecture, folders, download, progress)
        return cls.from_files(files, checkpoint, device, options, engine)

    @classmethod
    def from_files(
        cls,
        files: WeightFiles,
        checkpoint: Checkpoint | None,
        device: torch.device,
        options: LoadOptions | None = None,
        engine: Engine | None = None,
    ) -> Predictor:
        """Load weights from files that were found; `checkpoint` is the main one, if that was read already."""
        engine = engine or Engine()

        def in_float32() -> Animator:
            exact = replace(engine, precision=FLOAT32)
            return cls.optimized(registry.load_files(files, options), device, exact).animator

        origin = Origin(files.path.name, in_float32, files)
        return cls.optimized(registry.load_files(files, options, checkpoint), device, engine, origin)

    @classmethod
    def optimized(
        cls, animator: Animator, device: torch.device, engine: Engine | None = None, origin: Origin | None = None
    ) -> Predictor:
        """Optimise a newly loaded model for a device, in place, and move it there."""
        animator = optimize_for_inference(animator, device, engine)
        return cls(try_twice(lambda: animator.to(device), ignore, f"moving the model to {device}"), device, origin)

    def adapted(self, adapt: Callable[[Animator], Animator], other_files: Sequence[str] = ()) -> Predictor:
        """Return a predictor for what `adapt` makes of the model; `other_files` are what it brings in."""
        origin = self.origin
        if origin is not None:
            files, in_float32 = " with ".join([origin.files, *other_files]), origin.in_float32
            origin = Origin(files, lambda: adapt(in_float32()), origin.weights)
        return Predictor(adapt(self.animator), self.device, origin)

    @property
    def size(self) -> int:
        """Side in pixels that the weights were trained at, and that of results unless the options say otherwise."""
        return self.animator.spec.size

    @cached_property
    def identity(self) -> ModelIdentity:
        """Mark that tells this model from others; files are hashed when it is first asked for."""
        files = None if self.origin is None else self.origin.weights
        return ModelIdentity.of_network(self.animator) if files is None else ModelIdentity.of_files(files)

    def read_motion(
        self,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        rate: float | Fraction | None = None,
    ) -> MotionTrack:
        """Read the poses of a clip of `rate` frames per second, by default `options.rate`, to animate by them later.

        They take about a kilobyte a frame. Raises InputError for what it cannot read, and for a model that needs the
        driving pictures themselves.
        """
        if isinstance(driving, MotionTrack):
            driving.refuse_other(self.identity)
            return driving
        check_numbers(options or AnimateOptions())
        options, hooks = choose_batch(options or AnimateOptions(), hooks or Hooks(), self.animator, self.device)
        poses = read_poses(self.animator, as_clip(driving), self.device, options, hooks)
        if first_not_finite(poses.points) is not None:
            raise not_finite(self.identity.name)
        size = working_size(self.animator, options)
        return MotionTrack(poses, options.rate if rate is None else rate, self.identity, size)

    def find_best_frame(
        self,
        source: Source,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        method: str = AUTO,
    ) -> int:
        """Find the index of the driving frame whose pose is closest to the source's.

        `method` is one of `best_frame.METHODS`. Raises InputError.
        """
        options, hooks = choose_batch(options or AnimateOptions(), hooks or Hooks(), self.animator, self.device)
        clip = as_clip(driving)
        finder = keypoints_only(method) if isinstance(clip, MotionTrack) else landmark_finder(method, self.device)
        return find_best_frame(self.animator, source, clip, self.device, options, hooks, finder)

    def animate(
        self,
        source: Source,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> Iterator[Tensor]:
        """Animate a picture, or several of one face, with a clip; or a clip, frame by frame, with another.

        Yields frames (b, 3, size, size) in [0, 1] on the CPU, in order. Pictures are (1, H, W, C), clips (N, H, W, C)
        or a `Clip`, of floats in [0, 1] or of integers; a source that moves is a `Clip`. `best_frame`, one of
        `best_frame.METHODS`, has relative motion measured from the frame that it finds. The memory this takes does not
        grow with the clips. Raises InputError.
        """

        def draw(run: _Run) -> Iterator[Tensor]:
            frames = animate(run.animator, run.sources[0], run.clip, self.device, run.options[0], run.hooks, run.start)
            return to_cpu_async(frames)

        return self._in_any_precision(draw, lambda part: part, [source], driving, options, hooks, best_frame)

    def animate_mapped(
        self,
        source: Source,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> Iterator[Mapped]:
        """Animate as `animate` does, and yield the maps behind the pictures with them, all on the model's device."""

        def draw(run: _Run) -> Iterator[Mapped]:
            return animate_mapped(
                run.animator, run.sources[0], run.clip, self.device, run.options[0], run.hooks, run.start
            )

        return self._in_any_precision(draw, lambda part: part.pictures, [source], driving, options, hooks, best_frame)

    def animate_several(
        self,
        sources: Sequence[Source],
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> Iterator[Tensor]:
        """Animate several pictures, each as `animate` does, by one clip, whose poses are read once.

        Yields (b, sources, 3, size, size). Each source has a best frame of its own, where one is wanted.
        """

        def draw(run: _Run) -> Iterator[Tensor]:
            pairs = [*zip(run.sources, run.options, strict=True)]
            return to_cpu_async(animate_several(run.animator, pairs, run.clip, self.device, run.hooks, run.start))

        return self._in_any_precision(draw, lambda part: part, sources, driving, options, hooks, best_frame)

    def animate_tensors(
        self, source: Tensor, driving: Tensor, options: AnimateOptions | None = None, best_frame: str | None = None
    ) -> Tensor:
        """Animate a picture (1, H, W, 3) with frames (N, H, W, 3): (N, size, size, 3), all of them in memory."""
        return torch.cat([*self.animate(source, driving, options, best_frame=best_frame)]).movedim(1, -1)

    def choose_anchor(
        self,
        source: Source,
        clip: Clip,
        options: AnimateOptions,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> AnimateOptions:
        """Return the options with the best frame as the anchor, if one is wanted and motion is measured from any."""
        if best_frame is None or resolve_mode(self.animator, options) != "relative":
            return options
        return replace(options, anchor=self.find_best_frame(source, clip, options, hooks, best_frame))

    def _in_any_precision(
        self,
        draw: Callable[[_Run], Iterator[T]],
        pictures_of: Callable[[T], Tensor],
        sources: Sequence[Source],
        driving: Clip | Tensor,
        options: AnimateOptions | None,
        hooks: Hooks | None,
        best_frame: str | None,
    ) -> Iterator[T]:
        """Yield what `draw` makes of a clip; from a picture that is not finite on, by the model in float32."""
        given, hooks, done, bad = options or AnimateOptions(), hooks or Hooks(), 0, 0
        for source in sources:
            refuse_unused_inputs(self.animator, source, given)
        if isinstance(driving, MotionTrack):
            driving.refuse_other(self.identity)
        clip, sources = _matched(as_clip(driving), sources, given.moving)
        chosen, chosen_hooks = [given], hooks
        while bad is not None:
            animator = self.animator
            if not done:  # else the anchors stay what they were
                batch, chosen_hooks = choose_batch(given, hooks, animator, self.device)
                chosen = [self.choose_anchor(source, clip, batch, chosen_hooks, best_frame) for source in sources]
            run = _Run(animator, sources, clip, chosen, chosen_hooks, done)
            count, bad = yield from until_not_finite(draw(run), pictures_of)
            done += count
            if bad is not None:
                self.fall_back(animator, done - count + bad)

    def fall_back(self, animator: Animator, frame: int) -> None:
        """Exchange the model, by which a frame overflowed, for one in float32, unless another thread did so before.

        Raises CheckpointError if it runs in that already.
        """
        with self._exchange:
            if animator is not self.animator:
                return
            files = animator.spec.name if self.origin is None else self.origin.files
            if not runs_in_16_bits(animator):
                raise not_finite(files)
            log.warning("%s overflows in 16 bits (frame %d); going on in float32.", files, frame)
            self.animator = _raised(animator) if self.origin is None else self.origin.in_float32()


def _raised(animator: Animator) -> Animator:
    """Return a copy of a model in float32, unwatched; the model itself may be at work in another thread."""
    animator = copy.deepcopy(animator).float()
    if animator.watch is not None:
        animator.watch.remove()
        animator.watch = None
    return animator


@dataclass(frozen=True, slots=True)
class _Run:
    """Pass of a model through a driving clip from frame `start` on, with options for each source: their anchors differ.

    Sources that move are as long as the clip.
    """

    animator: Animator
    sources: Sequence[Source]
    clip: Clip
    options: Sequence[AnimateOptions]
    hooks: Hooks
    start: int


def _matched(clip: Clip, sources: Sequence[Source], moving: MovingSource) -> tuple[Clip, Sequence[Source]]:
    """Make sources that move as long as the driving clip, or that as short as they are, as is wished.

    Their speed is done with then.
    """
    lengths = [len(source) for source in sources if is_moving(source)]
    count = min([moving.frames_with(length, len(clip)) for length in lengths], default=len(clip))
    clip = clip if count == len(clip) else shifted(clip, 0, count)
    return clip, [as_long_as(source, count, moving) for source in sources]


def as_clip(driving: Clip | Tensor) -> Clip:
    """Wrap frames (N, H, W, C), or one (H, W, C), as a clip; return a clip unchanged."""
    return TensorClip(driving) if isinstance(driving, Tensor) else driving
