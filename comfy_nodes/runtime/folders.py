"""Folders of weights: our own model folder, and all in which the earlier pack kept its files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import folder_paths

from ...animation.registry import KINDS, earlier_packs, weight_folders
from ...core.installation import PACK
from ...core.weights.catalog import MODEL_FOLDER


def register() -> None:
    """Register our model folder (keeping what extra_model_paths.yaml added) and `.pth.tar` with ComfyUI."""
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))
    paths, _ = folder_paths.folder_names_and_paths[MODEL_FOLDER]
    folder_paths.folder_names_and_paths[MODEL_FOLDER] = (paths, folder_paths.supported_pt_extensions | {".tar"})
    make_model_folder()


def make_model_folder() -> Path:
    """Make the folder that weights belong into, if it can be made, and return it."""
    folder = model_folders()[0]
    with suppress(OSError):  # whoever puts a file there will see
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def model_folders() -> list[Path]:
    """List ComfyUI's model folders of this pack."""
    return [Path(path) for path in folder_paths.get_folder_paths(MODEL_FOLDER)]


def search_folders(identity: str) -> list[Path]:
    """List the folders to search for weights of a kind, in order: ComfyUI's model folders, our own `checkpoints`, and
    the folders of the earlier pack, in this pack and in the earlier pack beside it.
    """
    beside = [pack for root in folder_paths.get_folder_paths("custom_nodes") for pack in earlier_packs(Path(root))]
    return weight_folders(identity, model_folders(), [PACK, *beside])


def weight_file_names() -> list[str]:
    """List the names of every weight file in our folder, for a menu."""
    return folder_paths.get_filename_list(MODEL_FOLDER)


def own_weight_files() -> list[str]:
    """List the names of weight files in our folder under which nothing is published, for a menu of published ones."""
    published = {file for kind in KINDS.values() for row in kind.published for file in row.files}
    return [name for name in weight_file_names() if name not in published]
