"""Files of a model, found by a path or by a published name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.errors import CheckpointError, InputError
from ..core.weights.architecture import Architecture, WeightsKind
from ..core.weights.checkpoint import Checkpoint, read_checkpoint
from ..core.weights.find import WeightFiles, WeightsRequest, find_weights
from . import registry
from .model_folders import default_folders
from .options import ignore

DEFAULT_MODEL = "drawn-faces"

Folders = str | Path | Sequence[str | Path]
"""Folder to look for weights in, or several."""


def menu_entry(architecture: str, name: str) -> str:
    """Name published weights in a menu of all architectures, which have names in common."""
    return name if name == DEFAULT_MODEL else f"{name} ({architecture})"


def find_model(
    model: str | Path,
    architecture: str | None = None,
    folders: Folders | None = None,
    download: bool = False,
    progress: Callable[[int, int | None], None] = ignore,
) -> tuple[WeightFiles, Checkpoint | None]:
    """Find the files of a model by a path or by a published name; see `Predictor.load`.

    A file that had to be read to identify its architecture is returned with its content.
    """
    path, checkpoint = Path(model), None
    if isinstance(model, Path) or path.is_file() or _is_path(model):
        if architecture is None:
            checkpoint = read_checkpoint(path)
            architecture = _architecture_of(checkpoint)
        row = registry.architecture(architecture)
        return WeightFiles.of(row, path, _folders(row.id, folders)), checkpoint
    row = registry.architecture(architecture or registry.named_weights(model)[0].id)
    return find_published(row, model, folders, download, progress), None


def find_published(
    kind: WeightsKind,
    name: str,
    folders: Folders | None = None,
    download: bool = False,
    progress: Callable[[int, int | None], None] = ignore,
) -> WeightFiles:
    """Find published weights of a kind by their name; see `Predictor.load` for folders, download and errors."""
    request = WeightsRequest(name, download=download)
    return find_weights(kind, request, _folders(kind.id, folders), progress, ignore)


def _architecture_of(checkpoint: Checkpoint) -> str:
    kind = registry.identify(checkpoint)
    if not isinstance(kind, Architecture):
        what = registry.describe_unknown(checkpoint) if kind is None else f"{kind.name}, which animates nothing"
        raise CheckpointError(f"{checkpoint.path} is {what}. Choose another file.")
    return kind.id


def _is_path(model: str) -> bool:
    """Tell whether a text can only mean a file: it names a folder, or ends as no published name does."""
    return Path(model).name != model or bool(Path(model).suffix)


def _folders(identity: str, folders: Folders | None) -> list[Path]:
    if folders is None:
        return default_folders(identity)
    listed = [folders] if isinstance(folders, str | Path) else folders
    if not listed:
        raise InputError("has 0 folders; at least 1 to look in was wanted. Leave it out for the usual ones.", "folders")
    return [Path(folder) for folder in listed]
