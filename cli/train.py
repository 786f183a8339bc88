"""Command `train`: makes the bundled model, or goes on with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..core.device import pick_device
from ..core.errors import InputError
from ..core.output_path import Output, check_folder, check_output, refuse_clashes
from ..training.checkpoint import FILES
from ..training.config import TrainConfig
from ..training.losses import FINISHING
from .numbers import check_number, limit_threads

DEFAULTS = TrainConfig()


def add_train_options(options: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    options.add_argument("folder", type=Path, help="where state, model and log go; a run found there is resumed")
    options.add_argument("--start", type=Path, help="a checkpoint whose weights a new run begins with, where they fit")
    options.add_argument("--steps", type=int, help="stop after so many steps")
    options.add_argument("--minutes", type=float, help="stop after so many minutes")
    options.add_argument("--identities", "--looks", type=int, default=DEFAULTS.identities, help="drawn per step")
    options.add_argument("--seed", type=int, default=DEFAULTS.seed)
    options.add_argument("--learning-rate", type=float, default=DEFAULTS.learning_rate)
    options.add_argument("--motion-only", type=float, default=DEFAULTS.motion_only, help="part without generator")
    options.add_argument("--keep-detector", action="store_true", help="as the start has it: less work")
    options.add_argument("--finish", action="store_true", help="the picture counts more than how it was moved")
    options.add_argument("--compile", action="store_true", help="twice as fast on a CPU; needs a C++ compiler")
    options.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")


def train(args: argparse.Namespace) -> None:
    """Train, or go on with a run found in the folder."""
    from ..training.trainer import (
        Trainer,
    )  # not above: it brings PyTorch's compiler, a long wait

    check_numbers(args)
    check_folder(args.folder)
    outputs = [Output("folder", args.folder / name) for name in FILES]
    if args.folder.exists():
        for output in outputs:
            check_output(output.path)
    refuse_clashes(outputs, {"the checkpoint to start with": args.start})
    limit_threads(args.threads)
    device = pick_device(args.device)
    config = TrainConfig(
        identities=args.identities,
        seed=args.seed,
        steps=args.steps,
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        motion_only=args.motion_only,
        detector=not args.keep_detector,
        losses=FINISHING if args.finish else DEFAULTS.losses,
        compile=args.compile,
    )
    trainer = Trainer(config, args.folder, device)
    if not trainer.resume() and args.start:
        trainer.start_from(args.start)
    trainer.run()


def check_numbers(args: argparse.Namespace) -> None:
    """Raise InputError for settings of `train` with which nothing could be trained."""
    if args.steps is None and args.minutes is None:
        raise InputError("There is no end to the training: give --steps, --minutes or both.")
    for name in ("steps", "identities", "threads"):
        check_number(args, name, 1)
    check_number(args, "seed", 0, 2**63 - 1)
    check_number(args, "motion_only", 0, 1)
    for name in ("minutes", "learning_rate"):
        check_number(args, name, sys.float_info.min, sys.float_info.max)
