"""Commands and their options; a file of its own does each command's work."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..animation.best_frame import METHODS
from ..animation.engine import PRECISIONS
from ..animation.moving import ENDS, MOTIONS
from ..animation.registry import architectures
from ..core.errors import FirstOrderError, in_words, rename_parameters
from ..core.installation import DISTRIBUTION, pack_version
from ..core.unfinished import clean_up
from ..core.weights.architecture import RESTRICTED
from ..module_articulate.variants import VARIANTS
from .arguments import Parser
from .start import program_name
from .stop import FIRST_STATUS, farewell

INTERRUPTED = FIRST_STATUS + signal.SIGINT

FLAGS = {
    name: "--" + name.replace("_", "-")
    for name in RESTRICTED
    | {"architecture", "device", "size", "batch", "precision", "fps", "sheet", "start", "reader", "clips", "threads"}
    | {"detail", "detail_size", "inspect"}
    | {"format", "runtime", "model", "download", "plain", "compile", "cuda_graphs"}
    | {"faces", "boxes", "detector", "ratio", "feather", "offsets", "framing"}
    | {"driving_framing", "driving_faces", "driving_boxes", "more_driving", "smooth_crop", "upright", "match_colour"}
    | {"checkpoint", "source_motion", "source_ends"}
    | {"strength", "head", "expression", "head_anchor", "expression_anchor"}
    | {"test_share", "least_frames", "split_by", "json", "identity", "videos", "frames"}
    | {"steps", "minutes", "identities", "seed", "learning_rate", "motion_only", "data", "set", "layout"}
    | {"keep_detector", "finish"}
    | {"keep", "least", "blocks", "phases", "distil", "vgg"}
    | {"exported", "pictures"}
    | {"port", "host", "virtual_camera", "smooth"}
} | {
    "config": "CONFIG",
    "changes": "--set",
    "source": "SOURCE",
    "driving": "DRIVING",
    "output": "OUTPUT",
    "folder": "FOLDER",
    "folder_option": "--folder",
    "jobs": "JOBS",
    "smoothing": "--smooth",
    "motion_file": "the motion file",
    "table": "--output",
    "relative_jacobian": "--keep-jacobian",
    "adapt_scale": "--keep-scale",
    "mode": "the mode (--absolute, --avd)",
}
"""Options on the command line by the names of lower layers' parameters."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status, which may be its own. Expected errors are one line on standard error.

    As a program of its own it is run by `start.start`, which cares for signals too.
    """
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        with rename_parameters(FLAGS):
            status: int | None = args.command(args)
    except BrokenPipeError:
        raise
    except (FirstOrderError, OSError) as error:
        print(f"error: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(farewell(), file=sys.stderr)
        return INTERRUPTED
    finally:
        clean_up()
    return status or 0


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands and their options."""
    from .batch import add_batch_options
    from .compress import add_compress_options
    from .convert import convert
    from .demo import demo
    from .evaluate import add_evaluate_options
    from .export import add_export_options, export
    from .info import add_info_options
    from .live import add_live_options
    from .motion import add_motion_commands
    from .page import add_page_options, page
    from .prepare import add_prepare_options
    from .swap import add_swap_options
    from .train import add_train_options
    from .weights import add_weights_options

    parser = Parser(prog=program_name(), description="Animate a picture with the motion of a video.")
    parser.add_argument("--version", action="version", version=f"{DISTRIBUTION} {pack_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_run_command(commands.add_parser("run", help="animate a picture file by a video file"))
    add_batch_options(commands.add_parser("batch", help="animate many pictures, by a table of jobs"), add_run_options)
    command = commands.add_parser("motion", help="read the motion of videos into files, and mix them")
    add_motion_commands(command, _add_model_options, _add_engine_options)

    command = commands.add_parser("live", help="have a camera drive a picture, on a page that this serves")
    add_live_options(command, _add_model_options, _add_mode_options, _add_engine_options)

    command = commands.add_parser("demo", help="animate the bundled sample")
    command.add_argument("--output", type=Path, default=Path("output"), help="folder to write to (default: output)")
    _add_engine_options(command)
    command.set_defaults(command=demo)

    command = commands.add_parser("convert", help="rewrite a weight file as safetensors, without training state")
    command.add_argument("checkpoint", type=Path)
    command.add_argument("output", type=Path)
    command.add_argument("--half", action="store_true", help="store float16: half the size, rounded weights")
    command.set_defaults(command=convert)
    add_prepare_options(commands.add_parser("prepare", help="make a data set of videos: cut, resize, divide"))
    add_train_options(commands.add_parser("train", help="train a model on videos, or the bundled one on drawn faces"))
    command = commands.add_parser("export", help="write a model for ONNX Runtime, which needs no PyTorch")
    add_export_options(command)
    _add_model_options(command)
    add_swap_options(command)
    command.set_defaults(command=export)

    command = commands.add_parser("page", help="write a page for any web host on which a camera drives a picture")
    add_page_options(command)
    _add_model_options(command)
    add_swap_options(command)
    command.set_defaults(command=page)

    add_compress_options(commands.add_parser("compress", help="make a FOMM smaller and faster, and train what is left"))
    add_info_options(commands.add_parser("info", help="say what a file is: weights, motion, a clip, a picture, sound"))
    add_weights_options(
        commands.add_parser("weights", help="say which weights are there, whole or damaged; fetch some")
    )
    add_evaluate_options(commands.add_parser("evaluate", help="judge a model on videos or faces it has never seen"))
    return parser


def add_run_command(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `run`."""
    from .run import run

    command.add_argument(
        "source", type=Path, help="the picture to animate; of a video or animated picture, every frame is animated"
    )
    command.add_argument(
        "driving",
        type=Path,
        help="the video, animated or still picture, folder of frames or pattern (%%03d.png) whose motion it takes on; "
        "sound is kept. Or a motion file (safetensors), which has no sound",
    )
    command.add_argument(
        "output", type=Path, help="the file to write: mp4, mov, mkv or webm, gif or webp, or numbered png"
    )
    add_run_options(command)
    command.set_defaults(command=run)


def add_run_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `run`, which those of `batch` are too."""
    from .controls import add_control_options
    from .detail import add_detail_options
    from .enhance import add_enhance_options
    from .faces import add_face_options
    from .swap import add_swap_options

    command.add_argument(
        "--more-sources",
        type=Path,
        nargs="+",
        action="extend",
        help="more pictures of the same face, for a model that takes several (fsrt)",
    )
    _add_model_options(command)
    _add_motion_options(command)
    add_control_options(command)
    add_swap_options(command)
    add_face_options(command)
    add_detail_options(command)
    add_enhance_options(command)
    _add_work_options(command)


def _add_model_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("weights")
    rows = architectures()
    known = "; ".join(f"{row.id}: {', '.join(file.name for file in row.published)}" for row in rows.values())
    group.add_argument(
        "--architecture", choices=[*rows], help="which model (default: what a --checkpoint is, else fomm)"
    )
    weights = group.add_mutually_exclusive_group()
    weights.add_argument("--model", help=f"published weights, the default first. {known}")
    weights.add_argument("--checkpoint", type=Path, help="a weight file, instead of a published name")
    group.add_argument("--download", action="store_true", help="fetch the weights if they are not there")
    group.add_argument("--scale-factor", type=float, help="0.125 for weights trained at 512 pixels")
    group.add_argument("--variant", choices=[*VARIANTS], help="which published articulated file a checkpoint is like")
    group.add_argument(
        "--aligned-sampling", action="store_true", default=None, help="sample as when the weights were trained"
    )


def _add_motion_options(command: argparse.ArgumentParser) -> None:
    from .controls import index_or_picture

    group = command.add_argument_group("motion")
    _add_mode_options(group)
    group.add_argument(
        "--source-motion",
        choices=MOTIONS,
        help="of a source that is a video: add the movement to its own, or replace that (default: add)",
    )
    group.add_argument(
        "--source-ends",
        choices=ENDS,
        help="what a source video does that is over early: hold its last frame, begin again (cycle), go back and forth "
        "(mirror), or end the result (cut) (default: hold)",
    )
    anchors = group.add_mutually_exclusive_group()
    anchors.add_argument(
        "--best-frame",
        choices=[*METHODS],
        nargs="?",
        const="auto",
        help="measure movement from the frame closest in pose, found by this method (default when given: auto)",
    )
    anchors.add_argument(
        "--anchor",
        type=index_or_picture,
        metavar="FRAME",
        help="measure movement from this frame, or from a picture of the driving face at rest (default: 0)",
    )


def _add_mode_options(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    modes = group.add_mutually_exclusive_group()
    modes.add_argument("--absolute", action="store_true", help="take the video's pose instead of adding its movement")
    modes.add_argument("--avd", action="store_true", help="take it in the picture's shape, if the weights have avd")
    group.add_argument(
        "--background", action="store_true", help="with --absolute: let weights that can (MRFA's celebvhq) move it too"
    )
    group.add_argument(
        "--keep-jacobian",
        dest="relative_jacobian",
        action="store_true",
        help="do not carry local rotation over as a change",
    )
    group.add_argument(
        "--keep-scale", dest="adapt_scale", action="store_true", help="do not scale movement by the size of the heads"
    )


def _add_work_options(command: argparse.ArgumentParser) -> None:
    from .exported import add_runtime_option

    group = command.add_argument_group("work")
    group.add_argument("--size", type=int, help="side of the result in pixels (default: the weights' own)")
    group.add_argument("--fps", type=float, help="frames per second of driving pictures (default: 25)")
    group.add_argument("--antialias", action="store_true", help="filter while shrinking large pictures")
    group.add_argument("--batch", type=int, help="frames at once (default: chosen by model and memory)")
    group.add_argument("--max-pixels", type=int, help="pixels at once (fsrt); changes only speed and memory")
    _add_engine_options(group)
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add_runtime_option(group)
    group.add_argument("--sheet", type=Path, help="also write a contact sheet (png): source, driving, result")


def _add_engine_options(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    group.add_argument(
        "--precision",
        choices=[*PRECISIONS],
        default="auto",
        help="of the heavy layers; auto: 16 bits where the device is faster with them, else float32",
    )
    group.add_argument("--plain", action="store_true", help="run the networks as published, slower")
    group.add_argument("--compile", action="store_true", help="have PyTorch compile them: minutes, once per model")
    group.add_argument("--cuda-graphs", action="store_true", help="record the work on a GPU once, and replay it")
