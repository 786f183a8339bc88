"""Options of `run` for how strongly and how smoothly a picture moves, and for what drives it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.framing import Driver, FacePlan, Framing
from ..animation.full_size import cut_anchor
from ..animation.media.clip import FileClip
from ..animation.media.reader import read_picture
from ..animation.motion.clips import CountedClip, ping_pong, prefetched
from ..animation.motion.controls import Controls
from ..animation.motion.track import MotionTrack
from ..animation.options import AnimateOptions, working_size
from ..animation.predictor import Predictor
from ..animation.video import open_driving
from ..core.errors import InputError
from ..core.output_path import shown
from .arguments import given_path
from .progress import progress_bar

log = logging.getLogger(__name__)


def add_control_options(command: argparse.ArgumentParser) -> None:
    """Add the options that change the motion on its way from the video to the picture."""
    group = command.add_argument_group("control of motion")
    group.add_argument(
        "--strength", type=float, default=1.0, help="of all movement: 0 keeps the picture's pose, 2 doubles it"
    )
    group.add_argument("--head", type=float, default=1.0, help="that of turning, nearing and shifting as a whole alone")
    group.add_argument("--expression", type=float, default=1.0, help="that of what is left, such as mouth and brows")
    group.add_argument(
        "--smooth",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="smooth movement over time, without a lag; 0.08 takes away jitter",
    )
    group.add_argument(
        "--ping-pong",
        action="store_true",
        help="play the video forward and then back, neither end twice; its sound goes on as it is",
    )
    group.add_argument(
        "--save-motion", type=Path, metavar="FILE", help="also write the video's motion (safetensors), to drive later"
    )


def read_controls(args: argparse.Namespace) -> Controls:
    """Read the controls from the command line's options."""
    return Controls(args.strength, args.head, args.expression, args.smooth)


def open_drivers(args: argparse.Namespace) -> list[FileClip]:
    """Open what drives, played back and forth if that is wished."""
    clips = [open_driving(args.driving, args.fps), *(open_driving(path) for path in args.more_driving or ())]
    return [ping_pong(clip) for clip in clips] if args.ping_pong else clips


def index_or_picture(text: str) -> int | Path:
    """Read the option `--anchor`: the number of a frame, or the file of a picture."""
    return int(text) if text.lstrip("+-").isdecimal() else given_path(text)


def read_anchor(anchor: int | Path | None, framing: Framing, plan: FacePlan | None, size: int) -> int | Tensor:
    """Return the anchor as the driver takes it; of a picture, the face is cut out as that of the video is."""
    if not isinstance(anchor, Path):
        return anchor or 0
    picture = read_picture(anchor)
    return picture if plan is None else cut_anchor(framing, plan, picture, size)


def refuse_several(drivers: Sequence[Driver]) -> None:
    """Raise InputError where several faces drive, as a motion file holds the motion of one."""
    if len(drivers) > 1:
        raise InputError(
            f"holds the motion of one face, and {len(drivers)} drive. Choose one by --driving-faces, or leave it out.",
            "motion_file",
        )


def save_motion(
    predictor: Predictor, clip: FileClip, drivers: Sequence[Driver], options: AnimateOptions, path: Path
) -> None:
    """Read the motion of a clip, or of the one face that drives in it, and write it to a file."""
    driving = drivers[0].for_size(working_size(predictor.animator, options)) if drivers else prefetched(clip)
    with logging_redirect_tqdm(), progress_bar("frame", "reading the motion") as progress:
        counted = driving if isinstance(driving, MotionTrack) else CountedClip(driving, progress)
        track = predictor.read_motion(counted, options, rate=clip.fps)
    track.save(path)
    log.info("Wrote %s: the motion of %d frames.", shown(path), len(track))
