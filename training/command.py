"""The command line of training: `train` and, to judge the result, `evaluate`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from ..core.types import LoadOptions
from ..loading.reader import read_checkpoint
from ..module_fomm.checkpoint import load
from .config import TrainConfig
from .evaluate import judge, table
from .pose_reader import fitted
from .trainer import Trainer

logger = logging.getLogger(__name__)

DEFAULTS = TrainConfig()


def train_parser() -> argparse.ArgumentParser:
    """Options of `train`."""
    options = argparse.ArgumentParser(prog="train", description="Train the bundled model on drawn faces.")
    options.add_argument("folder", type=Path, help="where state, model and log go; a run found there is resumed")
    options.add_argument("--steps", type=int, help="stop after so many steps")
    options.add_argument("--minutes", type=float, help="stop after so many minutes")
    options.add_argument("--looks", type=int, default=DEFAULTS.looks, help="identities per step")
    options.add_argument("--seed", type=int, default=DEFAULTS.seed)
    options.add_argument("--learning-rate", type=float, default=DEFAULTS.learning_rate)
    options.add_argument("--motion-only", type=float, default=DEFAULTS.motion_only, help="part without generator")
    options.add_argument("--compile", action="store_true", help="twice as fast on a CPU; needs a C++ compiler")
    options.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")
    options.add_argument("--device", type=torch.device, default=None, help="by default CUDA if there is one")
    return options


def train(argv: Sequence[str]) -> int:
    """Train from the command line; returns the exit status."""
    args = train_parser().parse_args(argv)
    if args.steps is None and args.minutes is None:
        train_parser().error("give --steps, --minutes or both")
    prepare(args.threads)
    device = args.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = TrainConfig(
        looks=args.looks,
        seed=args.seed,
        steps=args.steps,
        minutes=args.minutes,
        learning_rate=args.learning_rate,
        motion_only=args.motion_only,
        compile=args.compile,
    )
    trainer = Trainer(config, args.folder, device)
    trainer.resume()
    trainer.run()
    return 0


def evaluate_parser() -> argparse.ArgumentParser:
    """Options of `evaluate`."""
    options = argparse.ArgumentParser(prog="evaluate", description="Judge a model on drawn faces it has never seen.")
    options.add_argument("checkpoint", type=Path, help="a FOMM trained on drawn faces")
    options.add_argument("--clips", type=int, default=200)
    options.add_argument("--reader", type=Path, default=Path("output/pose_reader.pt"), help="made first if missing")
    options.add_argument("--output", type=Path, help="also write the table to this file")
    options.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")
    return options


def evaluate(argv: Sequence[str]) -> int:
    """Evaluate from the command line; returns the exit status."""
    args = evaluate_parser().parse_args(argv)
    prepare(args.threads)
    animator = load(read_checkpoint(args.checkpoint), LoadOptions()).eval()
    text = table(judge(animator, fitted(args.reader), args.clips))
    logger.info("%d unseen clips\n\n%s", args.clips, text)
    if args.output:
        args.output.write_text(text + "\n", "utf-8")
    return 0


def prepare(threads: int | None) -> None:
    """Show the log, and limit the CPU threads if asked to."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if threads:
        torch.set_num_threads(threads)
