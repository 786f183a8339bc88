"""Options of `run` for the source's fine detail, and for a look at what the model saw."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..animation.options import MOST_ENLARGED, AnimateOptions


def add_detail_options(command: argparse.ArgumentParser) -> None:
    """Add the options that decide on detail and inspection."""
    group = command.add_argument_group("detail")
    add_detail_share(group)
    group.add_argument(
        "--detail-size",
        type=int,
        help=f"side of the result with --detail (default: the picture's longer one, up to {MOST_ENLARGED} times the "
        "weights' own)",
    )
    group.add_argument(
        "--inspect",
        type=Path,
        help="also write a video (or gif, webp, numbered png) of keypoints, flow, occlusion and moved pixels",
    )


def add_detail_share(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the option of how much detail is shown."""
    group.add_argument(
        "--detail",
        type=float,
        nargs="?",
        const=1.0,
        default=0.0,
        help="share of the picture's own fine detail to show beyond the weights' size, 0 to 1 (default: 0; alone: 1)",
    )


def with_detail(options: AnimateOptions, args: argparse.Namespace) -> AnimateOptions:
    """Return the driver's options with those of detail from the command line."""
    return replace(options, detail=args.detail, detail_size=args.detail_size)
