"""Command `run`: a picture file and a video file in, a video file with the video's sound out."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.enhance import Enhancer
from ..animation.framing import Driver, FacePlan, Framing
from ..animation.media.clip import FileClip
from ..animation.motion.clips import CountedClip, prefetched
from ..animation.motion.track import MotionTrack
from ..animation.moving import ADD, HOLD, MovingSource, Source, is_moving
from ..animation.options import AnimateOptions, check_clip, working_size
from ..animation.predictor import Predictor
from ..animation.retarget import Retargeting
from ..animation.unused import refuse_unused_options
from ..animation.video import FileSource, animate_clip, check_results, open_source, plan_faces, result_names
from ..core.device import pick_device
from ..core.errors import FirstOrderError, InputError
from ..core.output_path import shown
from .controls import open_drivers, read_anchor, read_controls, refuse_several, save_motion
from .detail import with_detail
from .enhance import check_enhancement
from .exported import ONNX
from .faces import read_framing, refuse_unused_faces
from .models import Models, given_options
from .progress import progress_bar
from .swap import with_chosen_parts

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """Animation that was checked as far as it can be without its model: options as they were read, files opened."""

    args: argparse.Namespace
    options: AnimateOptions
    framing: Framing
    source: FileSource
    clips: Sequence[FileClip]
    device: torch.device


def run(args: argparse.Namespace) -> None:
    """Animate as the options say, and report the speed."""
    models = Models()
    perform(prepare(args, models), models)


def prepare(args: argparse.Namespace, models: Models) -> Job:
    """Check all that can be checked before the model is loaded and faces are looked for, and open the files.

    Raises InputError, MediaError, or one of the errors of missing and of wrong weights.
    """
    job = _checked(args, models, _Checks())
    assert job is not None  # else a check has raised
    return job


def all_faults(args: argparse.Namespace, models: Models) -> Sequence[Exception]:
    """Check what `prepare` does, to the end, and return all errors instead of raising the first."""
    checks = _Checks(raises=False)
    _checked(args, models, checks)
    return checks.errors


def _checked(args: argparse.Namespace, models: Models, checks: _Checks) -> Job | None:
    device = checks.run(lambda: torch.device("cpu") if args.runtime == ONNX else pick_device(args.device))
    checks.run(lambda: check_results(args.output, args.sheet, given_files(args), args.save_motion, args.inspect))
    options = checks.run(lambda: with_detail(read_options(args), args))
    framing = checks.run(lambda: read_framing(args))
    checks.run(lambda: check_enhancement(args))
    checks.run(lambda: models.check(args))
    source = checks.run(lambda: open_source([args.source, *(args.more_sources or ())]))
    clips = checks.run(lambda: open_drivers(args))
    if source is not None and not is_moving(source):
        checks.run(lambda: _refuse_for_stills(args))
    if source is not None and clips is not None and options is not None:
        checks.run(lambda: check_clip(source, clips[0], options))
    if options is None or framing is None or source is None or clips is None or device is None:
        return None
    return Job(args, options, framing, source, clips, device)


class _Checks:
    """Checks that do not depend on each other; without `raises`, the errors of those that fail are collected."""

    def __init__(self, *, raises: bool = True) -> None:
        self._raises = raises
        self.errors: list[Exception] = []

    def run(self, check: Callable[[], T]) -> T | None:
        """Return what a check returns; None where it fails."""
        try:
            return check()
        except (FirstOrderError, OSError) as error:
            if self._raises:
                raise
            self.errors.append(error)
            return None


def given_files(args: argparse.Namespace) -> dict[str, Path | Sequence[Path] | None]:
    """List the files that a job reads, by what they are, as messages name them."""
    return {
        "the source picture": [args.source, *(args.more_sources or ())],
        "the driving video": [args.driving, *(args.more_driving or ())],
        "a file of boxes": [path for path in (args.boxes, args.driving_boxes) if path is not None],
        "the weight file": args.checkpoint,
        "the face parser": args.face_parser,
        "the enhancer": args.enhance,
        "the anchor picture": args.anchor if isinstance(args.anchor, Path) else None,
    }


def _refuse_for_stills(args: argparse.Namespace) -> None:
    """Raise InputError for options that mean nothing where the source is a picture."""
    for name in ("source_motion", "source_ends"):
        if getattr(args, name) is not None:
            raise InputError(
                "was given; it is for a source that is a video, and this is a picture. Leave it out.", name
            )


def perform(job: Job, models: Models, label: str = "animating") -> None:
    """Load the model, unless it is there, find the faces, and animate."""
    args, options, clip = job.args, job.options, job.clips[0]
    predictor = models.predictor(args, job.device)
    size = working_size(predictor.animator, options)
    refuse_unused_options(predictor.animator, options, given_options(args))
    predictor = with_chosen_parts(predictor, args, job.device)
    enhancer = models.enhancer(args, job.device)
    plan = plan_faces(job.framing, job.source, job.clips)
    if plan is None:
        refuse_unused_faces(args)
    options = replace(options, anchor=read_anchor(args.anchor, job.framing, plan, size))
    drivers: Sequence[Driver] = () if plan is None else plan.drivers
    if args.save_motion is not None:
        refuse_several(drivers)
    best_frame: str | None = args.best_frame
    if best_frame is not None and plan is None:  # else each face has one of its own
        options, best_frame = find_anchor(predictor, job.source, clip, options, best_frame), None
    animate_and_report(
        predictor, job.source, clip, args.output, args.sheet, options, best_frame, plan, enhancer, args.inspect, label
    )
    if args.save_motion is not None:
        save_motion(predictor, clip, drivers, options, args.save_motion)


def find_anchor(
    predictor: Predictor, pictures: Source, clip: FileClip, options: AnimateOptions, method: str
) -> AnimateOptions:
    """Find the best frame with a progress bar, and return the options with it as the anchor."""
    with logging_redirect_tqdm(), progress_bar("frame", "finding the best frame") as progress:
        counted = clip if isinstance(clip, MotionTrack) else CountedClip(prefetched(clip), progress)
        return replace(options, anchor=predictor.find_best_frame(pictures, counted, options, method=method))


def animate_and_report(
    predictor: Predictor,
    pictures: FileSource,
    clip: FileClip,
    output: Path,
    sheet: Path | None,
    options: AnimateOptions | None = None,
    best_frame: str | None = None,
    plan: FacePlan | None = None,
    enhancer: Enhancer | None = None,
    inspect: Path | None = None,
    label: str = "animating",
) -> None:
    """Animate into a file with a progress bar, and log how fast that was."""
    started = time.perf_counter()
    with logging_redirect_tqdm(), progress_bar("frame", label) as progress:
        done = animate_clip(
            predictor, pictures, clip, output, options, best_frame, sheet,
            progress=progress, plan=plan, enhancer=enhancer, inspect=inspect,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    names = result_names(output, done)
    log.info(
        "Wrote %s: %d frames in %.1f s (%.1f frames per second).",
        " to ".join(shown(name) for name in names), done, seconds, done / seconds,
    )  # fmt: skip


def read_options(args: argparse.Namespace) -> AnimateOptions:
    """Read the driver's options from the command line's, but for a picture as the anchor."""
    return replace(
        read_drawing(args),
        anchor=args.anchor if isinstance(args.anchor, int) else 0,
        moving=MovingSource(args.source_motion or ADD, args.source_ends or HOLD),
        controls=read_controls(args),
    )


def read_drawing(args: argparse.Namespace) -> AnimateOptions:
    """Read what options say of the mode and of pictures alone, of commands that know no clip too."""
    mode = "standard" if args.absolute else "avd" if args.avd else None
    keep_jacobian, keep_scale = bool(args.relative_jacobian), bool(args.adapt_scale)
    return AnimateOptions(
        retargeting=Retargeting(mode, not keep_jacobian, not keep_scale, bool(args.background)),
        size=args.size,
        antialias=args.antialias,
        batch=args.batch,
        max_pixels=args.max_pixels,
    )
