"""The options of `run` that Part Swap alone has."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..core.errors import InputError
from ..core.weights.catalog import names
from ..face_parsing.checkpoint import load_parser
from ..face_parsing.classes import DEFAULT, chosen_classes
from ..module_partswap.animator import PartSwapAnimator
from ..module_partswap.parts import chosen_parts
from ..module_partswap.swap import Swap
from .weights import weight_file

PARSER = "face_parsing"


def add_swap_options(command: argparse.ArgumentParser) -> None:
    """What is swapped, and where its mask comes from."""
    group = command.add_argument_group("part swap")
    group.add_argument(
        "--parts",
        help="learnt segments to swap: numbers (1_2_5) or names with commas (default: all but the background)",
    )
    group.add_argument(
        "--face-parts",
        nargs="?",
        const=DEFAULT,
        help="swap what a face parser finds instead: hair, hat, eyes, mouth, face, ... or class numbers "
        f"(default when given: {DEFAULT})",
    )
    group.add_argument("--face-parser", type=Path, help="the parser's weight file (default: 79999_iter.pth)")
    group.add_argument("--target-mask", action="store_true", help="mask by the video's own parts, not the picture's")
    group.add_argument("--hard-edges", action="store_true", help="swap a pixel or do not, without fading")
    group.add_argument("--blend-scale", type=float, default=1.0, help="blur of the mask; next to nothing above 0.6")


def read_swap(args: argparse.Namespace, model: PartSwapAnimator, device: torch.device) -> Swap:
    """The swap that the options mean for a model."""
    given: str | None = args.face_parts
    if given is None:
        if args.face_parser is not None:
            raise InputError("A face parser was given, but not what it should find. Add --face-parts.")
        chosen = None if args.parts is None else chosen_parts(args.parts, model.config.num_segments)
        return Swap(chosen, not args.target_mask, args.hard_edges, args.blend_scale)
    classes = chosen_classes(given)
    parser = load_parser(args.face_parser or weight_file(PARSER, names(PARSER)[0], args.download)).to(device)
    return Swap(classes, not args.target_mask, args.hard_edges, args.blend_scale, parser.sharp)
