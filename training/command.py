"""The command line of training: `train` and, to judge the result, `evaluate`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch

from ..animation.predictor import Predictor
from ..core.atomic_file import atomic_write
from ..core.device import pick_device
from ..core.errors import InputError
from ..core.output_path import Output, check_folder, check_output, refuse_clashes
from .checkpoint import FILES
from .config import TrainConfig
from .evaluate import judge, table
from .losses import FINISHING
from .pose_reader import fitted

logger = logging.getLogger(__name__)

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
    from .trainer import Trainer  # not above: it brings PyTorch's compiler, for which every command would wait

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


def check_number(args: argparse.Namespace, name: str, least: float, most: float = 2**31) -> None:
    """Raise InputError for a number that is given and is not from `least` to `most`."""
    value: float | None = getattr(args, name)
    if value is not None and not least <= value <= most:
        wanted = "more than 0" if 0 < least < 1 else f"{least:g} to 1" if most == 1 else f"{least:g} or more"
        raise InputError(f"is {value}; {wanted} was wanted. Choose another number.", name)


def add_evaluate_options(options: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    options.add_argument("checkpoint", type=Path, help="a FOMM trained on drawn faces")
    options.add_argument("--clips", type=int, default=200)
    options.add_argument("--reader", type=Path, default=Path("output/pose_reader.pt"), help="made first if missing")
    options.add_argument("--output", type=Path, help="also write the table to this file")
    options.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")


def evaluate(args: argparse.Namespace) -> None:
    """Judge a model on drawn faces it has never seen, and show the table."""
    check_number(args, "clips", 1)
    check_number(args, "threads", 1)
    outputs: list[Output] = []
    if args.output is not None:
        check_output(args.output)
        outputs.append(Output("table", args.output))
    if not args.reader.exists():
        check_folder(args.reader.parent)
        outputs.append(Output("reader", args.reader))
    refuse_clashes(outputs, {"the checkpoint": args.checkpoint, "the pose reader": args.reader})
    limit_threads(args.threads)
    predictor = Predictor.load(args.checkpoint, device="cpu")
    text = table(judge(predictor, fitted(args.reader), args.clips))
    logger.info("%d unseen clips\n\n%s", args.clips, text)
    if args.output is not None:
        with atomic_write(args.output) as part:
            part.write_text(text + "\n", "utf-8")


def limit_threads(threads: int | None) -> None:
    """Use so many CPU threads, PyTorch's choice if None."""
    if threads:
        torch.set_num_threads(threads)
