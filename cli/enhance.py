"""Options of `run` that have a restoration or upscale model go over the result."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..animation.engine import dtype_for
from ..animation.enhance import Enhancer
from ..animation.upscale_model import load_upscale_model
from ..core.errors import InputError, rename_parameters

FLAG = "--enhance"
FLAGS = {"descriptor": FLAG, "enhance": FLAG, "strength": f"{FLAG}-strength", "steadiness": f"{FLAG}-steadiness"}


def add_enhance_options(command: argparse.ArgumentParser) -> None:
    """Add the options that name an enhancer and how much of it is wanted."""
    group = command.add_argument_group("enhancement")
    group.add_argument(
        FLAG,
        type=Path,
        metavar="FILE",
        help="restore or enlarge the animated faces by the weights of GFPGAN, RestoreFormer, CodeFormer or an upscaler",
    )
    group.add_argument("--enhance-strength", type=float, help="how much of its correction is added (default: 1, all)")
    group.add_argument(
        "--enhance-steadiness",
        type=float,
        help="how much of a correction is carried over to the next frame, against flicker (default: 0)",
    )
    group.add_argument(
        "--enhance-unit-range",
        action="store_true",
        default=None,
        help="give GFPGAN and CodeFormer colours in 0..1, for weights that make noise otherwise",
    )


def read_enhancer(args: argparse.Namespace, device: torch.device) -> Enhancer | None:
    """Load the enhancer that the options name; raises InputError where they only say how it is to be used."""
    path: Path | None = args.enhance
    details = {
        name: value
        for name in ("strength", "steadiness", "unit_range")
        if (value := getattr(args, f"enhance_{name}")) is not None
    }
    if path is None:
        for name in details:
            raise InputError(f"was given without a model. Add {FLAG} FILE.", f"{FLAG}-{name.replace('_', '-')}")
        return None
    half = dtype_for(args.precision, device) == torch.bfloat16
    with rename_parameters(FLAGS):
        return Enhancer(load_upscale_model(path), device, half=half, **details)
