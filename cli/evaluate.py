"""Command `evaluate`: judges a model on pictures it has never seen."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from ..animation.predictor import Predictor
from ..core.atomic_file import atomic_write
from ..core.output_path import Output, check_folder, check_output, refuse_clashes
from .numbers import check_number, limit_threads

log = logging.getLogger(__name__)


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
    from ..training.evaluate import judge, table
    from ..training.pose_reader import fitted

    predictor = Predictor.load(args.checkpoint, device="cpu")
    text = table(judge(predictor, fitted(args.reader), args.clips))
    log.info("%d unseen clips\n\n%s", args.clips, text)
    if args.output is not None:
        with atomic_write(args.output) as part:
            part.write_text(text + "\n", "utf-8")
