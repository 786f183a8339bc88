"""Command `info`: says what a file is: weights, a motion file, an exported model, a clip, a picture, or sound."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..animation.inventory import SUFFIXES
from ..animation.media.facts import media_facts
from ..animation.media.open_clip import is_clip
from ..animation.motion.track import MotionTrack
from ..animation.motion.track_file import FORMAT, is_motion_file
from ..animation.weight_facts import weight_facts
from ..core.errors import (
    CheckpointError,
    FirstOrderError,
    InputError,
    MediaError,
    in_words,
    one_line,
    rename_parameters,
)
from ..core.input_file import open_file
from ..core.installation import install_hint
from ..core.output_path import shown
from ..core.weights.container import HEAD, container_of, name_unknown
from ..core.weights.safetensors_file import scan_safetensors
from ..core.weights.source import open_source
from .arguments import given_path

Facts = Mapping[str, object]


def add_info_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `info`."""
    command.add_argument(
        "files",
        type=str,  # a name that cannot be is told of with the others
        nargs="+",
        metavar="FILE",
        help="weights, a motion file, the folder of an export, a clip, a picture or sound; or several of these",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of lines: of several files a list")
    command.set_defaults(command=info)


def info(args: argparse.Namespace) -> int:
    """Print what each of `args.files` is, and what cannot be read as an error; returns 1 if there is such a one."""
    from .main import FLAGS

    files: Sequence[str] = args.files
    told: list[Facts] = []
    failed = False
    for place, name in enumerate(files):
        facts: dict[str, object] = {"file": name}
        try:
            with rename_parameters(FLAGS):
                facts.update(file_facts(_named(name)))
        except (FirstOrderError, OSError) as error:
            facts["error"], failed = _with_name(in_words(error), name), True
            print(f"error: {facts['error']}", file=sys.stderr)
        told.append(facts)
        if not args.json and "error" not in facts:
            print("\n" * (place > 0), end="")
            write_facts(facts)
    if args.json and not (failed and len(files) == 1):
        print(json.dumps(told if len(files) > 1 else told[0], indent=2, default=str))
    return 1 if failed else 0


def _named(name: str) -> Path:
    """Return the path of a name. Raises InputError for one that no file can have."""
    try:
        return given_path(name)
    except argparse.ArgumentTypeError as error:
        raise InputError(str(error), "FILE") from error


def _with_name(error: str, name: str) -> str:
    """Put a file's name before an error that does not tell which file it is about."""
    known = one_line(Path(name).name or name)
    return error if known in error or error.startswith("FILE ") else f"{shown(Path(name))}: {error}"


def write_facts(facts: Facts) -> None:
    """Print facts, one a line."""
    for name, value in facts.items():
        print(f"{name}: {'none' if value is None else one_line(str(value))}")


def file_facts(path: Path) -> Facts:
    """Describe any file. Raises one of the pack's errors for what it cannot read."""
    if path.is_dir():
        return _export_facts(path) if any(path.glob("*.onnx")) else media_facts(path)
    if not path.exists():
        if is_clip(path):  # a pattern of names
            return media_facts(path)
        raise MediaError(f"{shown(path)} is not there. Check the path.")
    if _is_weights(path):
        return motion_facts(MotionTrack.load(path)) if _holds_motion(path) else weight_facts(path)
    try:
        return media_facts(path)
    except MediaError as error:
        with open_file(path) as file:
            what = name_unknown(file.read(HEAD), path)[0]
        if what.startswith(("a picture", "a video", "a sound", "of an unknown format")):
            raise
        raise MediaError(
            f"{shown(path)} is {what}; weights, motion, a clip, a picture or sound was wanted. Choose another file."
        ) from error


def _is_weights(path: Path) -> bool:
    """Tell weights from pictures and sound: by their first bytes, or by the name of a damaged file."""
    try:
        container_of(path)
    except CheckpointError:
        return path.suffix.lower() in SUFFIXES
    return True


def _holds_motion(path: Path) -> bool:
    if not is_motion_file(path):
        return False
    with open_source(path) as source:
        return scan_safetensors(source)[1].get("format") == FORMAT


def motion_facts(track: MotionTrack) -> Facts:
    """Describe a motion file."""
    seconds = len(track) / float(track.fps)
    parts = {"points": track.motion.points, "jacobians": track.motion.jacobians, **track.motion.extra}
    return {
        "kind": "motion",
        "frames": f"{len(track)} at {float(track.fps):g} per second ({seconds:.2f} s)",
        "read by": f"{track.model}, at {track.size} pixels",
        "SHA-256 of the weights": track.model.weights,
        **{name: None if part is None else tuple(part.shape[1:]) for name, part in parts.items()},
    }


def _export_facts(folder: Path) -> Facts:
    """Describe the folder of an exported model. Raises InputError where ONNX Runtime is missing."""
    if find_spec("onnxruntime") is None:
        raise InputError(f"{shown(folder)} is an exported model, and onnxruntime is not installed to read it. Run: "
                         f"{install_hint('deploy')}.")  # fmt: skip
    from ..deploy.exported import load_exported  # not above: it needs that package

    facts = load_exported(folder).graphs.facts
    sizes = {name: (folder / f"{name}.onnx").stat().st_size for name in facts.graphs}
    return {
        "kind": "exported model",
        "holds": f"{facts.name}, for ONNX Runtime (run --runtime onnx --checkpoint {shown(folder)})",
        "architecture": facts.architecture,
        "size": f"{facts.size} pixels",
        "modes": ", ".join(facts.modes),
        **{f"graph {name}": f"{size:,} bytes" for name, size in sizes.items()},
        "export": facts.export,
    }
