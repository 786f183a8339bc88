"""Command `motion`: reads the motion of videos into files, mixes two of them, and says what is in one."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..animation.faces.face import LARGEST
from ..animation.framing import FinderOnDemand, frame_clip
from ..animation.media.open_clip import open_clip
from ..animation.motion.clips import ping_pong, prefetched
from ..animation.motion.mix import mix
from ..animation.motion.track import MotionTrack
from ..animation.motion.track_file import check_motion_file
from ..animation.options import AnimateOptions
from ..core.device import pick_device
from ..core.output_path import Output, refuse_clashes, shown
from .controls import save_motion
from .faces import add_driving_options, read_driving_framing
from .info import motion_facts, write_facts
from .models import load_predictor

log = logging.getLogger(__name__)

Adder = Callable[[Any], None]


def add_motion_commands(command: argparse.ArgumentParser, add_model_options: Adder, add_engine_options: Adder) -> None:
    """Add the commands `motion read`, `motion mix` and `motion describe`."""
    commands: Any = command.add_subparsers(required=True, metavar="COMMAND")
    read = commands.add_parser("read", help="write the motion of a video to a file, to drive by it later")
    read.add_argument("driving", type=Path, help="the video, animated picture, folder of frames or pattern (%%03d.png)")
    read.add_argument("output", type=Path, help="the file to write (safetensors)")
    add_model_options(read)
    add_driving_options(read.add_argument_group("faces"))
    group = read.add_argument_group("work")
    group.add_argument("--ping-pong", action="store_true", help="play the video forward and then back")
    group.add_argument("--size", type=int, help="side at which frames are read (default: the weights' own)")
    group.add_argument("--fps", type=float, help="frames per second of driving pictures (default: 25)")
    group.add_argument("--antialias", action="store_true", help="filter while shrinking large frames")
    group.add_argument("--batch", type=int, help="frames at once (default: chosen by model and memory)")
    add_engine_options(group)
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    read.set_defaults(command=read_motion, driving_faces=LARGEST)

    mixed = commands.add_parser("mix", help="join the head's movement of one file with the expression of another")
    mixed.add_argument("head", type=Path, help="the motion file whose head moves")
    mixed.add_argument("expression", type=Path, help="the motion file of the same weights whose face moves")
    mixed.add_argument("output", type=Path, help="the file to write (safetensors)")
    mixed.add_argument("--head-anchor", type=int, default=0, help="frame from which the head's movement is measured")
    mixed.add_argument("--expression-anchor", type=int, default=0, help="frame in which the second face is at rest")
    mixed.set_defaults(command=mix_motion)

    described = commands.add_parser("describe", help="say what is in a motion file")
    described.add_argument("file", type=Path)
    described.set_defaults(command=describe_motion)


def read_motion(args: argparse.Namespace) -> None:
    """Read the motion of one face, or of whole frames, into `args.output`."""
    check_motion_file(args.output)
    boxes = {"a file of boxes": args.driving_boxes, "the weight file": args.checkpoint}
    refuse_clashes([Output("output", args.output)], {"the driving video": args.driving, **boxes})
    device, clip = pick_device(args.device), open_clip(args.driving, args.fps)
    clip = ping_pong(clip) if args.ping_pong else clip
    framing = read_driving_framing(args)
    drivers = frame_clip(
        prefetched(clip), float(clip.fps), framing.driving, FinderOnDemand(framing.finder), framing.options, None,
        framing.driving_boxes,
    )  # fmt: skip
    predictor = load_predictor(args, device)
    options = AnimateOptions(size=args.size, antialias=args.antialias, batch=args.batch)
    save_motion(predictor, clip, drivers, options, args.output)


def mix_motion(args: argparse.Namespace) -> None:
    """Mix two motion files into `args.output`."""
    check_motion_file(args.output)
    refuse_clashes([Output("output", args.output)], {"a motion file": [args.head, args.expression]})
    head, expression = MotionTrack.load(args.head), MotionTrack.load(args.expression)
    mixed = mix(head, expression, args.head_anchor, args.expression_anchor)
    mixed.save(args.output)
    log.info("Wrote %s: %d frames at %.2f per second.", shown(args.output), len(mixed), float(mixed.fps))


def describe_motion(args: argparse.Namespace) -> None:
    """Print what is in a motion file."""
    write_facts(motion_facts(MotionTrack.load(args.file)))
