"""The command line of training: `train` and, to judge the result, `evaluate`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from .config import TrainConfig
from .trainer import Trainer

DEFAULTS = TrainConfig()


def parser() -> argparse.ArgumentParser:
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
    args = parser().parse_args(argv)
    if args.steps is None and args.minutes is None:
        parser().error("give --steps, --minutes or both")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.threads:
        torch.set_num_threads(args.threads)
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
