"""Where weights are: our own model folder, and every place where the earlier pack kept its files."""

from __future__ import annotations

from pathlib import Path

import folder_paths

from ...core.weights.catalog import MODEL_FOLDER, published_for

EARLIER_PACK = "ComfyUI-FirstOrderMM"
PACK = Path(__file__).resolve().parent.parent.parent


def register() -> None:
    """Tell ComfyUI of our folder (keeping what extra_model_paths.yaml added) and of `.pth.tar`."""
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))
    paths, _ = folder_paths.folder_names_and_paths[MODEL_FOLDER]
    folder_paths.folder_names_and_paths[MODEL_FOLDER] = (paths, folder_paths.supported_pt_extensions | {".tar"})


def search_folders(architecture: str) -> list[Path]:
    """Folders to look in, in order: ComfyUI's model folders, our own `checkpoints`, and the folders of the
    earlier pack, in this pack and in the earlier pack beside it.
    """
    ours = [Path(path) for path in folder_paths.get_folder_paths(MODEL_FOLDER)]
    packs = [PACK, *(Path(root) / EARLIER_PACK for root in folder_paths.get_folder_paths("custom_nodes"))]
    earlier = dict.fromkeys(row.earlier for row in published_for(architecture) if row.earlier)
    return list(dict.fromkeys([*ours, PACK / "checkpoints", *(pack / folder for pack in packs for folder in earlier)]))


def listed_files() -> list[str]:
    """Names of every weight file in our folder, for a menu."""
    return folder_paths.get_filename_list(MODEL_FOLDER)
