"""Command `convert`: rewrites a published weight file as safetensors, without optimizers and discriminators."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from ..animation.registry import read_with_companions, trim_and_describe
from ..core.errors import InputError
from ..core.output_path import Output, check_folder, check_output, refuse_clashes, shown
from ..core.weights.convert import to_safetensors

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"


def convert(args: argparse.Namespace) -> None:
    """Convert the weight file of any architecture into the safetensors file `args.output`."""
    check_converted(args.output)
    refuse_clashes([Output("output", args.output)], {"the weight file": args.checkpoint})
    checkpoint, metadata = trim_and_describe(read_with_companions(args.checkpoint))
    to_safetensors(checkpoint, args.output, torch.float16 if args.half else None, metadata)
    log.info("Wrote %s.", shown(args.output))


def check_converted(output: Path) -> None:
    """Refuse a place where no safetensors file can be written, also behind a link. Raises MediaError or InputError."""
    check_folder(output.parent)
    if output.parent.exists():
        check_output(output)
    for name in (output, output.resolve()):
        if name.suffix.lower() != SUFFIX:
            raise InputError(f"is {shown(name)}; a name that ends in {SUFFIX} was wanted. Rename it.", "output")
