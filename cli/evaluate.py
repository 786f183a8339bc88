"""Command `evaluate`: how well a model shows videos, or drawn faces, that it has never seen."""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from ..core.atomic_file import atomic_write
from ..core.device import pick_device
from ..core.output_path import Output, check_folder, check_output, refuse_clashes, shown
from .arguments import given_name
from .numbers import check_number, limit_threads
from .progress import progress_bar

log = logging.getLogger(__name__)

DRAWN = "drawn"


def add_evaluate_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    command.add_argument("checkpoint", type=Path, help="the weights to judge, of any architecture")
    command.add_argument(
        "data",
        type=given_name,
        nargs="?",
        default=DRAWN,
        help="a data set, whose test videos are reconstructed, or one video; or drawn, for the table of drawn faces "
        "(default: drawn)",
    )
    command.add_argument("--output", type=Path, help="also write the table to this file (Markdown)")
    command.add_argument("--json", type=Path, help="also write the numbers to this file")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    command.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")
    videos = command.add_argument_group("videos")
    videos.add_argument("--split", choices=("test", "train"), default="test", help="of the data set (default: test)")
    videos.add_argument("--videos", type=int, help="use so many of them (default: all)")
    videos.add_argument("--frames", type=int, help="use so many frames of each (default: all)")
    videos.add_argument(
        "--identity", type=Path, help="weights of InceptionResnetV1 (facenet-pytorch), for the identity distance"
    )
    drawn = command.add_argument_group("drawn faces")
    drawn.add_argument("--clips", type=int, default=200, help="how many (default: 200)")
    drawn.add_argument("--reader", type=Path, default=Path("output/pose_reader.pt"), help="made first if missing")
    command.set_defaults(command=evaluate)


def evaluate(args: argparse.Namespace) -> None:
    """Judge a model, show the table, and write it where that is wanted."""
    for name in ("clips", "threads", "videos", "frames"):
        check_number(args, name, 1)
    outputs = [Output(name, path) for name, path in (("table", args.output), ("json", args.json)) if path is not None]
    for output in outputs:
        check_output(output.path)
    if args.data == DRAWN and not args.reader.exists():
        check_folder(args.reader.parent)
        outputs.append(Output("reader", args.reader))
    given: dict[str, Path | list[Path] | None] = {
        "the checkpoint": args.checkpoint,
        "the pose reader": args.reader,
        "the weights": args.identity,
    }
    if outputs and args.data != DRAWN:
        given["the data"] = _files_of(Path(args.data))
    refuse_clashes(outputs, given)
    limit_threads(args.threads)
    text, numbers = _judge_drawn(args) if args.data == DRAWN else _judge_videos(args)
    print(text)
    content = json.dumps({"checkpoint": args.checkpoint.name, "data": str(args.data), **numbers}, indent=1)
    for path, written in ((args.output, text), (args.json, content)):
        if path is not None:
            with atomic_write(path) as part:
                part.write_text(written + "\n", "utf-8")


def _files_of(data: Path) -> list[Path]:
    """List all files of a data set, or the one video."""
    return [path for path in data.rglob("*") if path.is_file()] if data.is_dir() else [data]


def _judge_drawn(args: argparse.Namespace) -> tuple[str, Mapping[str, object]]:
    """Judge by drawn faces: the table, and the numbers by name."""
    from ..animation.predictor import Predictor
    from ..training.evaluation.drawn import judge, table
    from ..training.pose_reader import fitted

    predictor = Predictor.load(args.checkpoint, device=pick_device(args.device))
    means = judge(predictor, fitted(args.reader), args.clips)
    return f"{args.clips} unseen clips\n\n{table(means)}", {"clips": args.clips, "means": means}


def _judge_videos(args: argparse.Namespace) -> tuple[str, Mapping[str, object]]:
    """Judge by the reconstruction of videos: the table, and the numbers by measure."""
    from ..animation.engine import FLOAT32, Engine
    from ..animation.faces.landmarks import FaceLandmarks, missing_parts
    from ..animation.predictor import Predictor
    from ..training.background import with_background
    from ..training.data.dataset import videos_to_test
    from ..training.evaluation.face_judges import LandmarkJudge, load_identity_judge
    from ..training.evaluation.reconstruction import Judge, reconstruct

    device = pick_device(args.device)
    judges: list[Judge] = [] if args.identity is None else [load_identity_judge(args.identity)]
    if missing := missing_parts():
        log.info("Without keypoint distance and missing rate: %s is not installed.", missing[0])
    else:
        judges.append(LandmarkJudge(FaceLandmarks(device)))
    predictor = with_background(Predictor.load(args.checkpoint, device=device, engine=Engine(FLOAT32, fast=False)))
    videos = islice(videos_to_test(Path(args.data), args.split, predictor.size), args.videos)
    with logging_redirect_tqdm(), progress_bar("video", "evaluating") as progress:
        counter = iter(range(1, 10**9))
        done = reconstruct(predictor, videos, judges, args.frames, lambda _: progress(next(counter), args.videos))
    if done.frames == done.videos:
        log.warning("Only the first frame of each video was compared, of which copying is exact. Give more frames.")
    text = f"{shown(Path(args.data))}: {done.videos} videos, {done.frames} frames\n\n{done.table()}"
    numbers = {"architecture": predictor.animator.spec.name, "size": predictor.size}
    measures = {
        name: {guess: _finite(value) for guess, value in values.items()} for name, values in done.measures.items()
    }
    return text, {**numbers, "videos": done.videos, "frames": done.frames, "measures": measures}


def _finite(value: float) -> float | None:
    """Return None for what JSON has no number for: the PSNR of equal pictures, the mean of none."""
    return value if math.isfinite(value) else None
