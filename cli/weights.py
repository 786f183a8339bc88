"""Weights for the command line: the same names, files and folders as in ComfyUI."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from ..core.weights.catalog import MODEL_FOLDER, published_for
from ..core.weights.find import WeightsRequest, find_weights

PACK = Path(__file__).resolve().parent.parent


def weight_file(architecture: str, name: str, allow_download: bool) -> Path:
    """The published file in the pack's `checkpoints`, in ComfyUI's model folder if the pack is installed
    there, or where the earlier pack kept it. A download goes to the first of these that exists.
    """
    with tqdm(unit="B", unit_scale=True, disable=not allow_download, leave=False) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        choice = WeightsRequest(name, download=allow_download)
        return find_weights(architecture, choice, search_folders(architecture), progress, lambda: None)


def search_folders(architecture: str) -> list[Path]:
    """Where `weight_file` looks, in order."""
    comfy = PACK.parent.parent / "models" / MODEL_FOLDER
    siblings = [PACK.parent / "ComfyUI-FirstOrderMM"]
    earlier = [row.earlier for row in published_for(architecture) if row.earlier]
    folders = [PACK / "checkpoints", *(pack / folder for pack in siblings for folder in dict.fromkeys(earlier))]
    return [comfy, *folders] if comfy.is_dir() else folders
