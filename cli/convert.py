"""Command `convert`: rewrites a published weight file as safetensors, without optimizers and discriminators."""

from __future__ import annotations

import argparse
import logging

import torch

from ..animation.registry import read_with_companions, trim_and_describe
from ..core.weights.convert import to_safetensors

log = logging.getLogger(__name__)


def convert(args: argparse.Namespace) -> None:
    """Convert the weight file of any architecture into the safetensors file `args.output`."""
    checkpoint, metadata = trim_and_describe(read_with_companions(args.checkpoint))
    to_safetensors(checkpoint, args.output, torch.float16 if args.half else None, metadata)
    log.info("Wrote %s.", args.output)
