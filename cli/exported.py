"""The option `--runtime onnx` of `run`: an exported model draws, and the driver does all the rest as ever."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch

from ..animation.predictor import Origin, Predictor
from ..core.errors import InputError
from ..core.installation import install_hint
from ..core.weights.architecture import RELATIVE_JACOBIAN, RESTRICTED

TORCH, ONNX = RUNTIMES = ("torch", "onnx")
SERVED = RELATIVE_JACOBIAN | {"background"}  # of the options that not every model accepts
BUILT_IN = ("architecture", "model", "download", "precision", "plain", "compile", "cuda_graphs")


def add_runtime_option(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the option that chooses what runs the networks."""
    group.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default=TORCH,
        help="onnx: run what `export` wrote, the folder --checkpoint, by ONNX Runtime; --device is then cpu, cuda, "
        "coreml, directml or openvino (default: torch)",
    )


def check_exported(args: argparse.Namespace) -> Path:
    """Return the folder of the exported model; raises InputError without one, and for options settled in it."""
    folder: Path | None = args.checkpoint
    if folder is None:
        raise InputError("is onnx; the folder of an exported model was wanted. Add --checkpoint FOLDER.", "runtime")
    refuse_settled(args)
    if find_spec("onnxruntime") is None:
        raise InputError(f"is onnx, and onnxruntime is not installed. Run: {install_hint('deploy')}.", "runtime")
    return folder


def load_exported_predictor(args: argparse.Namespace) -> Predictor:
    """Load the exported model in the folder `args.checkpoint`; raises what `check_exported` does."""
    folder = check_exported(args)
    from ..deploy.exported import load_exported  # not above: it needs that package

    device = "cpu" if args.device == "auto" else args.device
    animator = load_exported(folder, device)
    return Predictor(animator, torch.device("cpu"), Origin(folder.name, lambda: load_exported(folder, device)))


def refuse_settled(args: argparse.Namespace) -> None:
    """Raise InputError for the first option given that was settled when the model was exported."""
    defaults = {"precision": "auto"}
    for name in sorted({*BUILT_IN, *RESTRICTED, "size", "face_parser"} - SERVED):
        value = getattr(args, name, None)
        if value is not None and value is not False and value != defaults.get(name):
            raise InputError("was given; an exported model has that settled. Leave it out.", name)
