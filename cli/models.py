"""Models that the options of a command name: found, checked, loaded, and kept for the next job."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import torch

from ..animation import registry
from ..animation.engine import Engine
from ..animation.enhance import Enhancer
from ..animation.find_model import find_model
from ..animation.predictor import Predictor
from ..core.errors import InputError, MissingWeightsError
from ..core.output_path import shown
from ..core.types import LoadOptions
from ..core.weights.architecture import RESTRICTED, Architecture, WeightsKind
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.find import WeightFiles, published
from ..module_partswap.architecture import PARTSWAP
from .enhance import read_enhancer
from .exported import ONNX, check_exported, load_exported_predictor
from .progress import progress_bar
from .swap import check_swap

DEFAULT_ARCHITECTURE = "fomm"
BUNDLED_HINT = "(--model drawn-faces needs no download; it is made for the drawn sample.)"

NAMING = ("runtime", "architecture", "model", "checkpoint", "download")
BUILDING = ("aligned_sampling", "scale_factor", "variant", "precision", "plain", "compile", "cuda_graphs", "device")
ENHANCING = ("enhance", "enhance_strength", "enhance_steadiness", "enhance_unit_range", "precision", "device")
"""Options that decide on a model's files, on what is made of them, and on the enhancer."""

T = TypeVar("T")


class Kept(Generic[T]):
    """Place for one thing that takes long to make, and stays until another is wanted."""

    def __init__(self) -> None:
        self._wish: object = None
        self._thing: list[T] = []

    def get(self, wish: object, make: Callable[[], T]) -> T:
        """Return what was made for an equal wish, or make it, once the older one is let go."""
        if not self._thing or self._wish != wish:
            self._thing.clear()
            self._thing.append(make())
            self._wish = wish
        return self._thing[0]


class Models:
    """Models and enhancers of jobs, one after another; each stays loaded until a job wants another."""

    def __init__(self) -> None:
        self._found: Kept[tuple[WeightFiles, Checkpoint | None]] = Kept()
        self._predictor: Kept[Predictor] = Kept()
        self._enhancer: Kept[Enhancer | None] = Kept()

    def check(self, args: argparse.Namespace) -> None:
        """Find the model that options name, and refuse those that it does not take, before it is loaded."""
        if args.runtime == ONNX:
            check_exported(args)
            return
        if accepting(self._find(args)[0].kind, args) is PARTSWAP:
            check_swap(args)

    def predictor(self, args: argparse.Namespace, device: torch.device) -> Predictor:
        """Return the model that options name, loaded as they say."""

        def load() -> Predictor:
            if args.runtime == ONNX:
                return load_exported_predictor(args)
            found, self._found = self._find(args), Kept()  # what was read is not held beside the model
            return build_predictor(args, *found, device)

        return self._predictor.get(_wish(args, *NAMING, *BUILDING), load)

    def enhancer(self, args: argparse.Namespace, device: torch.device) -> Enhancer | None:
        """Return the enhancer that options name, if any."""
        return self._enhancer.get(_wish(args, *ENHANCING), lambda: read_enhancer(args, device))

    def _find(self, args: argparse.Namespace) -> tuple[WeightFiles, Checkpoint | None]:
        return self._found.get(_wish(args, *NAMING), lambda: find_chosen_model(args))


def _wish(args: argparse.Namespace, *names: str) -> list[object]:
    return [getattr(args, name) for name in names]


def load_predictor(args: argparse.Namespace, device: torch.device) -> Predictor:
    """Load the model that the options name, as they say."""
    files, checkpoint = find_chosen_model(args)
    accepting(files.kind, args)
    return build_predictor(args, files, checkpoint, device)


def accepting(kind: WeightsKind, args: argparse.Namespace) -> Architecture:
    """Return the architecture of a model that was found; raises InputError for options that it does not accept."""
    assert isinstance(kind, Architecture)  # `find_model` finds no others
    registry.refuse_unaccepted(kind, given_options(args))
    return kind


def build_predictor(
    args: argparse.Namespace, files: WeightFiles, checkpoint: Checkpoint | None, device: torch.device
) -> Predictor:
    """Build a model that was found, as the options say."""
    load_options = LoadOptions(args.aligned_sampling, args.scale_factor, args.variant)
    return Predictor.from_files(files, checkpoint, device, load_options, read_engine(args))


def find_chosen_model(args: argparse.Namespace) -> tuple[WeightFiles, Checkpoint | None]:
    """Find the weights that the options name; the architecture of a file is read off it unless given."""
    checkpoint: Path | None = args.checkpoint
    if checkpoint is not None:
        if checkpoint.is_dir() and any(checkpoint.glob("*.onnx")):
            advice = "Add --runtime onnx." if hasattr(args, "runtime") else "Name the weights that it was made of."
            raise InputError(
                f"is {shown(checkpoint)}, an exported model; a weight file was wanted. {advice}", "checkpoint"
            )
        return find_model(checkpoint, args.architecture)
    identity: str = args.architecture or DEFAULT_ARCHITECTURE
    if args.architecture is None and args.model and args.model not in registry.published_names(identity):
        identity = registry.named_weights(args.model)[0].id
    name: str = args.model or registry.published_names(identity)[0]
    try:
        with progress_bar("B") as progress:
            return find_model(name, identity, download=args.download, progress=progress)
    except MissingWeightsError as error:
        fetched = published(registry.KINDS[identity], name).can_be_fetched
        raise MissingWeightsError(f"{error} {'Or add --download. ' if fetched else ''}{BUNDLED_HINT}") from error


def given_options(args: argparse.Namespace) -> list[str]:
    """List the options given that not every architecture accepts; a 0 is given, too."""
    values = {name: getattr(args, name, None) for name in RESTRICTED}
    return [name for name, value in values.items() if value is not None and value is not False]


def read_engine(args: argparse.Namespace) -> Engine:
    """Read the engine's settings from the command line's options."""
    return Engine(args.precision, fast=not args.plain, compiled=args.compile, cuda_graphs=args.cuda_graphs)
