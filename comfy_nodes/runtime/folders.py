"""Folders of weights: our own model folder, and all in which the earlier pack kept its files."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ...animation.registry import earlier_packs, weight_folders
from ...core.installation import PACK
from ...core.weights.catalog import MODEL_FOLDER


def register() -> None:
    """Register our model folder (keeping what extra_model_paths.yaml added) and `.pth.tar` with ComfyUI."""
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))
    paths, _ = folder_paths.folder_names_and_paths[MODEL_FOLDER]
    folder_paths.folder_names_and_paths[MODEL_FOLDER] = (paths, folder_paths.supported_pt_extensions | {".tar"})


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
