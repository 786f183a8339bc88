"""The command line of training: `train` and, to judge the result, `evaluate`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from ..animation.predictor import Predictor
from ..core.device import pick_device
from ..core.errors import InputError
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

    if args.steps is None and args.minutes is None:
        raise InputError("There is no end to the training: give --steps, --minutes or both.")
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


def add_evaluate_options(options: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    options.add_argument("checkpoint", type=Path, help="a FOMM trained on drawn faces")
    options.add_argument("--clips", type=int, default=200)
    options.add_argument("--reader", type=Path, default=Path("output/pose_reader.pt"), help="made first if missing")
    options.add_argument("--output", type=Path, help="also write the table to this file")
    options.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")


def evaluate(args: argparse.Namespace) -> None:
    """Judge a model on drawn faces it has never seen, and show the table."""
    limit_threads(args.threads)
    predictor = Predictor.load(args.checkpoint, device="cpu")
    text = table(judge(predictor, fitted(args.reader), args.clips))
    logger.info("%d unseen clips\n\n%s", args.clips, text)
    if args.output:
        args.output.write_text(text + "\n", "utf-8")


def limit_threads(threads: int | None) -> None:
    """Use so many CPU threads, PyTorch's choice if None."""
    if threads:
        torch.set_num_threads(threads)
