"""Options of `run` that only Part Swap has."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..animation.find_model import find_published
from ..animation.predictor import Predictor
from ..animation.registry import load_parser
from ..core.errors import InputError
from ..core.inference.optimize import optimize
from ..core.types import Animator
from ..face_parsing.architecture import FACE_PARSING
from ..face_parsing.classes import DEFAULT, chosen_classes
from ..module_partswap.animator import PartSwapAnimator
from ..module_partswap.parts import chosen_parts
from ..module_partswap.swap import Swap
from .progress import progress_bar

PARSER = "the face parser"  # in messages


def add_swap_options(command: argparse.ArgumentParser) -> None:
    """Add the options that choose the swapped parts and the source of their mask."""
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
    group.add_argument("--blend-scale", type=float, help="blur of the mask; next to nothing above 0.6")


def check_swap(args: argparse.Namespace) -> None:
    """Raise InputError for options of a swap that cannot be, whatever the model."""
    Swap(blend_scale=_blend_scale(args))
    if args.face_parts is not None:
        chosen_classes(args.face_parts)
    elif args.face_parser is not None:
        raise InputError("was given without the parts to find. Add --face-parts.", "face_parser")


def _blend_scale(args: argparse.Namespace) -> float:
    return 1.0 if args.blend_scale is None else args.blend_scale


def read_swap(args: argparse.Namespace, model: PartSwapAnimator, device: torch.device) -> Swap:
    """Read the swap for a model from the command line's options."""
    check_swap(args)
    blend_scale = _blend_scale(args)
    given: str | None = args.face_parts
    if given is None:
        chosen = None if args.parts is None else chosen_parts(args.parts, model.config.num_segments)
        return Swap(chosen, not args.target_mask, args.hard_edges, blend_scale)
    classes = chosen_classes(given)
    path: Path | None = args.face_parser
    if path is None:
        name = FACE_PARSING.published[0].name
        with progress_bar("B") as progress:
            path = find_published(FACE_PARSING, name, download=args.download, progress=progress).path
    parser = optimize(load_parser(path), device).to(device)
    return Swap(classes, not args.target_mask, args.hard_edges, blend_scale, parser.subsampled_probabilities)


def with_chosen_parts(predictor: Predictor, args: argparse.Namespace, device: torch.device) -> Predictor:
    """Return a predictor of Part Swap set to the parts that the options name, and any other as it is."""
    if not isinstance(predictor.animator, PartSwapAnimator):
        return predictor
    swap = read_swap(args, predictor.animator, device)

    def adapt(animator: Animator) -> Animator:
        assert isinstance(animator, PartSwapAnimator)  # as this predictor's is
        return animator.with_swap(swap)

    return predictor.adapted(adapt, [PARSER] if swap.parse is not None else [])
