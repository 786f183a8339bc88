"""Command `compress`: makes a FOMM smaller by leaving channels out, and trains what is left."""

from __future__ import annotations

import argparse
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.registry import load_animator
from ..core.device import pick_device
from ..core.errors import CheckpointError, InputError
from ..core.output_path import Output, check_folder, check_output, refuse_clashes, shown
from ..module_fomm.animator import FOMMAnimator
from ..module_fomm.architecture import FOMM
from .arguments import given_name
from .numbers import check_number, limit_threads
from .progress import progress_bar
from .train import add_common_options, alone_in, given_settings

if TYPE_CHECKING:
    from ..training.phases import FineTuning

log = logging.getLogger(__name__)

PRUNED, MODEL = "pruned.safetensors", "model.safetensors"
"""Files in the folder: what pruning left, and what became of it by training."""
CONFIG = "small-128"
PHASES = ("kp_detector", "generator", "both")
TRAINING = ("vgg", "steps", "minutes", "phases", "changes", "distil")
"""Options that mean nothing without `--data`."""


def add_compress_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `compress`."""
    command.add_argument("checkpoint", type=Path, help="weights of a FOMM, published ones or your own")
    command.add_argument("folder", type=Path, help=f"where {PRUNED} goes and, with --data, the training's {MODEL}")
    command.add_argument("--keep", type=float, default=0.5, help="share of the channels, by layer (default: 0.5)")
    command.add_argument(
        "--least",
        type=int,
        default=16,
        help="channels that no layer goes below, inner ones four times as many (default: 16)",
    )
    command.add_argument("--blocks", type=int, help="residual blocks of the generator to keep (default: all)")
    command.add_argument("--half", action="store_true", help="store float16: half the size, rounded weights")
    group = command.add_argument_group("fine-tuning")
    group.add_argument("--data", type=Path, help="folder of videos, as `prepare` makes it; without it none is done")
    group.add_argument(
        "--config",
        type=given_name,
        default=CONFIG,
        help=f"configuration whose data and training are used (default: {CONFIG})",
    )
    group.add_argument(
        "--phases",
        nargs="+",
        action="extend",
        choices=PHASES,
        help="what is trained, one after the other; what is not yet is the large model's (default: all three)",
    )
    group.add_argument("--distil", action="store_true", help="learn from the large model's pictures and poses too")
    group.add_argument("--minutes", type=float, help="of training, in all phases together")
    group.add_argument("--steps", type=int, help="of each phase at most")
    add_common_options(group)
    command.set_defaults(command=compress)


def compress(args: argparse.Namespace) -> None:
    """Prune the model `args.checkpoint`, train what is left where there is data, and write it."""
    from ..deploy.compress import Slimming, count_weights, prune, write

    slimming = Slimming(args.keep, args.least, args.blocks)
    _check(args)
    tuning = None if args.data is None else _fine_tuning(args)
    limit_threads(args.threads)
    large = _load(args.checkpoint)
    small = prune(large, slimming.of(large.config))
    log.info("%.2f of %.2f million weights are kept.", count_weights(small) / 1e6, count_weights(large) / 1e6)
    dtype = torch.float16 if args.half else None
    with alone_in(args.folder):
        write(small, args.folder / PRUNED, dtype)
        _say(args.folder / PRUNED)
        if tuning is not None:
            from ..training.phases import fine_tune

            with logging_redirect_tqdm():
                fine_tune(large, small, tuning, args.folder, pick_device(args.device), partial(progress_bar, "step"))
            write(small, args.folder / MODEL, dtype)
            _say(args.folder / MODEL)


def _check(args: argparse.Namespace) -> None:
    """Raise InputError or MediaError for numbers and places that cannot be, and for options without a use."""
    for name in ("steps", "threads"):
        check_number(args, name, 1)
    check_number(args, "minutes", sys.float_info.min, sys.float_info.max)
    if args.data is None:
        for name in TRAINING:
            if getattr(args, name):
                raise InputError("was given without --data; nothing is trained then. Leave it out.", name)
    check_folder(args.folder)
    outputs = [Output("folder", args.folder / name) for name in (PRUNED, MODEL)]
    outputs += [Output("folder", args.folder / phase / MODEL) for phase in PHASES]
    if args.folder.exists():
        for output in outputs[:2]:
            check_output(output.path)
    refuse_clashes(outputs, {"the weight file": args.checkpoint})


def _fine_tuning(args: argparse.Namespace) -> FineTuning:
    """Read the configuration of training. Raises InputError for one that trains something else."""
    # not above: they bring PyTorch's compiler, for which every command would wait
    from ..training.config import DRAWN, VideoConfig, find_config, read_config
    from ..training.data.dataset import FramesDataset
    from ..training.objectives.distillation import DistillationParams
    from ..training.phases import PHASES, FineTuning

    if args.config == DRAWN:
        raise InputError(f"is {DRAWN}, which trains on no videos. Choose another.", "config")
    config = read_config(find_config(args.config), [*given_settings(args), *args.changes])
    assert isinstance(config, VideoConfig)  # others have no place for a folder of videos
    FramesDataset(config.dataset_params)  # what is no data set is refused before anything is written
    teacher = DistillationParams(args.checkpoint) if args.distil else None
    return FineTuning(config, args.phases or PHASES, teacher)


def _load(path: Path) -> FOMMAnimator:
    """Load a FOMM. Raises CheckpointError for other weights."""
    model = load_animator(path, FOMM.id)
    if type(model) is not FOMMAnimator:
        raise CheckpointError(
            f"{shown(path)} holds the bundled network, which is small already; weights of a plain FOMM were wanted. "
            "Choose another file."
        )
    return model


def _say(path: Path) -> None:
    log.info("Wrote %s: %.1f MiB.", shown(path), path.stat().st_size / 2**20)
