"""Command `run`: a picture file and a video file in, a video file with the video's sound out."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation import registry
from ..animation.engine import Engine
from ..animation.media.reader import VideoClip, read_picture
from ..animation.media.writer import open_writer
from ..animation.pipeline import AnimateOptions, Pictures
from ..animation.predictor import Predictor, find_model
from ..animation.retarget import Retargeting
from ..animation.video import animate_clip
from ..core.device import pick_device
from ..core.errors import MissingWeightsError
from ..core.types import LoadOptions
from ..core.weights.architecture import RESTRICTED, Architecture
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.find import WeightFiles
from ..module_partswap.animator import PartSwapAnimator
from .progress import progress_bar
from .swap import read_swap, with_swap

log = logging.getLogger(__name__)

DEFAULT_ARCHITECTURE = "fomm"
HINT = "Or add --download, where its SHA-256 is known; --model drawn-faces needs none and is made for the drawn sample."


def run(args: argparse.Namespace) -> None:
    """Animate as the options say, and report the speed."""
    device = pick_device(args.device)
    pictures, clip = [read_picture(path) for path in (args.source, *(args.more_sources or ()))], VideoClip(args.driving)
    open_writer(args.output, clip.fps)  # refuses an output that it cannot write, before anything is worked out
    files, checkpoint = find_chosen_model(args)
    assert isinstance(files.kind, Architecture)  # `find_model` finds no others
    registry.refuse_unaccepted(files.kind, given_options(args))
    load_options = LoadOptions(args.aligned_sampling, args.scale_factor, args.variant)
    predictor = Predictor.from_files(files, checkpoint, device, load_options, read_engine(args))
    if isinstance(predictor.animator, PartSwapAnimator):
        predictor = with_swap(predictor, read_swap(args, predictor.animator, device))
    animate_and_report(predictor, pictures, clip, args.output, args.sheet, read_options(args), args.best_frame)


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
        raise MissingWeightsError(f"{error} {HINT}") from error


def animate_and_report(
    predictor: Predictor,
    pictures: Pictures,
    clip: VideoClip,
    output: Path,
    sheet: Path | None,
    options: AnimateOptions | None = None,
    best_frame: str | None = None,
) -> None:
    """Animate into a file with a progress bar, and log how fast that was."""
    started = time.perf_counter()
    with logging_redirect_tqdm(), progress_bar("frame") as progress:
        done = animate_clip(predictor, pictures, clip, output, options, best_frame, sheet, progress=progress)
    seconds = time.perf_counter() - started
    log.info("Wrote %s: %d frames in %.1f s (%.1f frames per second).", output, done, seconds, done / seconds)


def given_options(args: argparse.Namespace) -> list[str]:
    """List the options given that not every architecture accepts; a 0 is given, too."""
    values = {name: getattr(args, name, None) for name in RESTRICTED}
    return [name for name, value in values.items() if value is not None and value is not False]


def read_engine(args: argparse.Namespace) -> Engine:
    """Read the engine's settings from the command line's options."""
    return Engine(args.precision, fast=not args.plain, compiled=args.compile)


def read_options(args: argparse.Namespace) -> AnimateOptions:
    """Read the driver's options from the command line's."""
    mode = "standard" if args.absolute else "avd" if args.avd else None
    keep_jacobian, keep_scale = bool(args.relative_jacobian), bool(args.adapt_scale)
    return AnimateOptions(
        retargeting=Retargeting(mode, not keep_jacobian, not keep_scale, bool(args.background)),
        anchor=args.anchor or 0,
        size=args.size,
        antialias=args.antialias,
        batch=args.batch,
        max_pixels=args.max_pixels,
    )
