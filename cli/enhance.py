"""Options of `run` that have a restoration or upscale model go over the result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from ..animation.engine import dtype_for
from ..animation.enhance import Enhancer, check_shares
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


def check_enhancement(args: argparse.Namespace) -> None:
    """Raise InputError for numbers out of bounds, and where options only say how an enhancer is to be used."""
    details = _details(args)
    with rename_parameters(FLAGS):
        check_shares(**{name: value for name, value in details.items() if name != "unit_range"})
    for name in details if args.enhance is None else ():
        raise InputError(f"was given without a model. Add {FLAG} FILE.", f"{FLAG}-{name.replace('_', '-')}")


def _details(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was given of how the enhancer is to be used."""
    given = {name: getattr(args, f"enhance_{name}") for name in ("strength", "steadiness", "unit_range")}
    return {name: value for name, value in given.items() if value is not None}


def read_enhancer(args: argparse.Namespace, device: torch.device) -> Enhancer | None:
    """Load the enhancer that the options name, if they name one."""
    path: Path | None = args.enhance
    if path is None:
        return None
    half = dtype_for(args.precision, device) == torch.bfloat16
    with rename_parameters(FLAGS):
        return Enhancer(load_upscale_model(path), device, half=half, **_details(args))
