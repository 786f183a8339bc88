"""Command `run`: a picture file and a video file in, a video file with the video's sound out."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation import registry
from ..animation.engine import Engine
from ..animation.enhance import Enhancer
from ..animation.framing import Driver, FacePlan
from ..animation.media.clip import FileClip
from ..animation.motion.clips import prefetched
from ..animation.motion.track import MotionTrack
from ..animation.moving import MovingSource, Source
from ..animation.options import AnimateOptions, working_size
from ..animation.predictor import Predictor, find_model
from ..animation.retarget import Retargeting
from ..animation.unused import refuse_unused_options
from ..animation.video import FileSource, animate_clip, check_results, open_source, plan_faces, result_names
from ..core.device import pick_device
from ..core.errors import MissingWeightsError
from ..core.output_path import shown
from ..core.types import LoadOptions
from ..core.weights.architecture import RESTRICTED, Architecture
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.find import WeightFiles, published
from ..module_partswap.animator import PartSwapAnimator
from .controls import open_drivers, read_anchor, read_controls, refuse_several, save_motion
from .detail import with_detail
from .enhance import read_enhancer
from .exported import ONNX, load_exported_predictor
from .faces import read_framing
from .progress import CountedClip, progress_bar
from .swap import read_swap, with_swap

log = logging.getLogger(__name__)

DEFAULT_ARCHITECTURE = "fomm"
BUNDLED_HINT = "(--model drawn-faces needs no download; it is made for the drawn sample.)"


def run(args: argparse.Namespace) -> None:
    """Animate as the options say, and report the speed."""
    device = torch.device("cpu") if args.runtime == ONNX else pick_device(args.device)
    sources = [args.source, *(args.more_sources or ())]
    check_results(
        args.output,
        args.sheet,
        {
            "the source picture": sources,
            "the driving video": [args.driving, *(args.more_driving or ())],
            "a file of boxes": [path for path in (args.boxes, args.driving_boxes) if path is not None],
            "the weight file": args.checkpoint,
            "the face parser": args.face_parser,
            "the enhancer": args.enhance,
            "the anchor picture": args.anchor if isinstance(args.anchor, Path) else None,
        },
        args.save_motion,
        args.inspect,
    )
    controls, framing = read_controls(args), read_framing(args)
    pictures, clips = open_source(sources), open_drivers(args)
    clip, plan = clips[0], plan_faces(framing, pictures, clips)
    predictor = load_exported_predictor(args) if args.runtime == ONNX else load_predictor(args, device)
    options = with_detail(replace(read_options(args), controls=controls), args)
    anchor = read_anchor(args.anchor, framing, plan, working_size(predictor.animator, options))
    options = replace(options, anchor=anchor)
    refuse_unused_options(predictor.animator, options, given_options(args))
    if isinstance(predictor.animator, PartSwapAnimator):
        predictor = with_swap(predictor, read_swap(args, predictor.animator, device))
    enhancer = read_enhancer(args, device)
    drivers: Sequence[Driver] = () if plan is None else plan.drivers
    if args.save_motion is not None:
        refuse_several(drivers)
    best_frame: str | None = args.best_frame
    if best_frame is not None and plan is None:  # else each face has one of its own
        options, best_frame = find_anchor(predictor, pictures, clip, options, best_frame), None
    animate_and_report(
        predictor, pictures, clip, args.output, args.sheet, options, best_frame, plan, enhancer, args.inspect
    )
    if args.save_motion is not None:
        save_motion(predictor, clip, drivers, options, args.save_motion)


def load_predictor(args: argparse.Namespace, device: torch.device) -> Predictor:
    """Load the model that the options name, as they say."""
    files, checkpoint = find_chosen_model(args)
    assert isinstance(files.kind, Architecture)  # `find_model` finds no others
    registry.refuse_unaccepted(files.kind, given_options(args))
    load_options = LoadOptions(args.aligned_sampling, args.scale_factor, args.variant)
    return Predictor.from_files(files, checkpoint, device, load_options, read_engine(args))


def find_chosen_model(args: argparse.Namespace) -> tuple[WeightFiles, Checkpoint | None]:
    """Find the weights that the options name; the architecture of a file is read off it unless given."""
    if args.checkpoint is not None:
        return find_model(args.checkpoint, args.architecture)
    identity: str = args.architecture or DEFAULT_ARCHITECTURE
    if args.architecture is None and args.model and args.model not in registry.published_names(identity):
        identity = registry.named_weights(args.model)[0].id
    name: str = args.model or registry.published_names(identity)[0]
    try:
        with progress_bar("B") as progress:
            return find_model(name, identity, download=args.download, progress=progress)
    except MissingWeightsError as error:
        fetched = published(registry.KINDS[identity], name).can_be_fetched
        hint = "Or add --download. " if fetched else ""
        raise MissingWeightsError(f"{error} {hint}{BUNDLED_HINT}") from error


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
) -> None:
    """Animate into a file with a progress bar, and log how fast that was."""
    started = time.perf_counter()
    with logging_redirect_tqdm(), progress_bar("frame", "animating") as progress:
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


def given_options(args: argparse.Namespace) -> list[str]:
    """List the options given that not every architecture accepts; a 0 is given, too."""
    values = {name: getattr(args, name, None) for name in RESTRICTED}
    return [name for name, value in values.items() if value is not None and value is not False]


def read_engine(args: argparse.Namespace) -> Engine:
    """Read the engine's settings from the command line's options."""
    return Engine(args.precision, fast=not args.plain, compiled=args.compile, cuda_graphs=args.cuda_graphs)


def read_options(args: argparse.Namespace) -> AnimateOptions:
    """Read the driver's options from the command line's."""
    mode = "standard" if args.absolute else "avd" if args.avd else None
    keep_jacobian, keep_scale = bool(args.relative_jacobian), bool(args.adapt_scale)
    return AnimateOptions(
        retargeting=Retargeting(mode, not keep_jacobian, not keep_scale, bool(args.background)),
        size=args.size,
        antialias=args.antialias,
        batch=args.batch,
        max_pixels=args.max_pixels,
        moving=MovingSource(args.source_motion, args.source_ends),
    )
