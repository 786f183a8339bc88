"""`run`: a picture file and a video file in, an mp4 with the video's sound out."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.batch_size import choose_batch
from ..animation.best_frame import find_best_frame, landmark_finder
from ..animation.device_copy import to_cpu_async
from ..animation.engine import Engine, optimize_for_inference
from ..animation.media.contact_sheet import SheetSampler
from ..animation.media.prefetch import PrefetchedClip, prefetch
from ..animation.media.reader import VideoClip, read_picture
from ..animation.media.writer import VideoWriter
from ..animation.pipeline import AnimateOptions, Hooks, Pictures, animate, checked_mode, first_picture
from ..animation.registry import load_animator
from ..animation.retarget import Retargeting
from ..core.device import pick_device
from ..core.errors import InputError
from ..core.types import Animator, LoadOptions
from ..core.weights.catalog import names
from ..module_partswap.animator import PartSwapAnimator
from .swap import read_swap
from .weights import search_folders, weight_file

log = logging.getLogger(__name__)


def run(args: argparse.Namespace) -> None:
    """Animate as the options say, and report the speed."""
    device = pick_device(args.device)
    source, clip = [read_picture(path) for path in (args.source, *args.more_sources)], VideoClip(args.driving)
    identity: str = args.architecture
    path = args.checkpoint or weight_file(identity, args.model or names(identity)[0], args.download)
    load_options = LoadOptions(args.aligned_sampling, args.scale_factor, args.variant)
    model = load_animator(path, identity, load_options, search_folders(identity))
    if args.more_sources and not model.spec.several_sources:
        raise InputError(f"--more-sources was given; {model.spec.name} takes 1 picture. Leave it out, or choose fsrt.")
    if isinstance(model, PartSwapAnimator):
        model = model.swapping(read_swap(args, model, device))
    model = optimize_for_inference(model, device, read_engine(args)).to(device)
    options, hooks = choose_batch(read_options(args), Hooks(), model, device)
    if args.best_frame is not None and checked_mode(model, options) == "relative":
        finder = landmark_finder(args.best_frame, device)
        options = replace(options, anchor=find_best_frame(model, source, clip, device, options, hooks, finder))
    animate_file(model, source, clip, device, options, hooks, args.output, args.sheet)


def read_engine(args: argparse.Namespace) -> Engine:
    """How to run the networks, from the command line's options."""
    return Engine(args.precision, fast=not args.plain, compiled=args.compile)


def read_options(args: argparse.Namespace) -> AnimateOptions:
    """The driver's options from the command line's."""
    mode = "standard" if args.absolute else "avd" if args.avd else None
    return AnimateOptions(
        retargeting=Retargeting(mode, not args.keep_jacobian, not args.keep_scale, args.background),
        anchor=args.anchor,
        size=args.size,
        antialias=args.antialias,
        batch=args.batch,
        max_pixels=args.max_pixels,
    )


def animate_file(
    model: Animator,
    source: Pictures,
    clip: VideoClip,
    device: torch.device,
    options: AnimateOptions,
    hooks: Hooks,
    output: Path,
    sheet: Path | None,
) -> None:
    """Animate a file into a file, in memory that does not grow with the clip.

    Reading, drawing and writing go on at the same time.
    """
    started = time.perf_counter()
    frames = to_cpu_async(animate(model, source, PrefetchedClip(clip), device, options, hooks))
    sampler = SheetSampler(len(clip))
    done = 0
    with (
        logging_redirect_tqdm(),
        tqdm(total=len(clip), unit="frame") as bar,
        VideoWriter(output, clip.fps, audio_from=clip.path) as writer,
    ):
        for pictures in prefetch(frames):
            writer.write(pictures)
            sampler.add(pictures)
            done += len(pictures)
            bar.update(len(pictures))
    seconds = time.perf_counter() - started
    if sheet is not None:
        sampler.save(first_picture(source), clip, sheet)
    log.info("Wrote %s: %d frames in %.1f s (%.1f frames per second).", output, done, seconds, done / seconds)
