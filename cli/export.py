"""Command `export`: writes a model's graphs for ONNX Runtime, or as programs of `torch.export`."""

from __future__ import annotations

import argparse
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..animation import registry
from ..core.errors import InputError, MediaError
from ..core.installation import install_hint
from ..core.output_path import Output, check_folder, refuse_clashes, shown
from ..core.types import Animator, LoadOptions
from ..core.unfinished import make_folder
from ..core.weights.architecture import Architecture
from ..core.weights.checkpoint import read_checkpoint
from ..module_partswap.animator import PartSwapAnimator
from .models import accepting, find_chosen_model
from .swap import read_swap

if TYPE_CHECKING:
    from ..deploy.export import About, Report

log = logging.getLogger(__name__)

NEEDED = ("onnx", "onnxscript", "onnxruntime")
FORMATS = ("onnx", "pt2", "both")
PRECISIONS = ("float32", "float16", "int8")


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `export`, apart from those that choose a model and parts."""
    command.add_argument("folder", type=Path, help="where motion, prepare and render go, each a file of its own")
    group = command.add_argument_group("export")
    group.add_argument("--format", choices=FORMATS, default="onnx", help="pt2 is torch.export's (default: onnx)")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="float16: half the bytes, the same arithmetic. int8: less again, and faster on processors made for it; "
        "calibrated on the bundled sample, and refused where it loses too much (default: float32)",
    )
    group.add_argument("--size", type=int, help="side of pictures in pixels (default: the weights' own)")


def export(args: argparse.Namespace) -> None:
    """Export the model that the options name into `args.folder`, and say what came out."""
    refuse_missing_packages()
    from ..deploy.export import ExportOptions, export_model  # not above: it needs them

    check_folder(args.folder)
    animator, facts, file = load_plain(args)
    refuse_clashes([Output("folder", args.folder / name) for name in _names()], {"the weight file": file})
    options = ExportOptions(args.format, args.precision, args.size)
    try:
        make_folder(args.folder)
    except OSError as error:
        raise MediaError(
            f"The folder {shown(args.folder)} cannot be made ({error.strerror}). Choose another."
        ) from error
    _say(export_model(animator, args.folder, facts, options))


def load_plain(args: argparse.Namespace) -> tuple[Animator, About, Path]:
    """Load the model that the options name, as an export wants it, with its description and its file."""
    files, checkpoint = find_chosen_model(args)
    checkpoint = checkpoint or read_checkpoint(files.path)
    kind = accepting(registry.expect(checkpoint, files.kind.id), args)
    load_options = LoadOptions(args.aligned_sampling, args.scale_factor, args.variant)
    animator = with_parts(registry.load_files(files, load_options, checkpoint), args)
    return animator, about(kind, files.path.name), files.path


def refuse_missing_packages() -> None:
    """Raise InputError where a package that exporting needs is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"Exporting needs {', '.join(missing)}, not installed here. Run: {install_hint('deploy')}.")


def with_parts(animator: Animator, args: argparse.Namespace) -> Animator:
    """Set a model of Part Swap to the chosen parts, which its graphs keep. Raises InputError for a face parser."""
    if not isinstance(animator, PartSwapAnimator):
        return animator
    for name in ("face_parts", "face_parser"):
        if getattr(args, name) is not None:
            raise InputError("was given; exported graphs hold no face parser. Choose learnt --parts.", name)
    return animator.with_swap(read_swap(args, animator, torch.device("cpu")))


def about(kind: Architecture, file: str) -> About:
    """Describe a model for its graphs: the licence is that of the published file of the same name."""
    from ..deploy.export import UNKNOWN, About

    licences = [row.licence for row in kind.published if file in row.files]
    return About(kind.id, file, next(filter(None, licences), UNKNOWN))


def _names() -> list[str]:
    return [
        f"{graph}.{suffix}" for graph in ("motion", "prepare", "render", "avd", "background") for suffix in FORMATS[:2]
    ]


def _say(report: Report) -> None:
    for path, size in report.files.items():
        difference = report.differences.get(path.stem)
        more = "" if difference is None else f", within {difference:.1e} of PyTorch in float32"
        log.info("Wrote %s: %.1f MiB%s.", shown(path), size / 2**20, more)
    if report.psnr is not None:
        log.info("Pictures of the bundled sample keep to those in float32 by %.1f dB.", report.psnr)
