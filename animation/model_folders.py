"""Folders in which weights are looked for where no ComfyUI says them."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.installation import FOLDER_VARIABLE, PACK, is_installed, user_folder
from ..core.weights.catalog import MODEL_FOLDER
from .registry import earlier_packs, weight_folders


def default_folders(identity: str) -> list[Path]:
    """List the folders in which weights are looked for outside ComfyUI, in order; a download goes into the first.

    That is the user's own folder for an installed package, and wherever the environment names it. A clone has ComfyUI's
    model folder, if it lies in one, and its own `checkpoints` before it.
    """
    own = user_folder(MODEL_FOLDER)
    if is_installed():
        return weight_folders(identity, [own], [PACK])
    first = [own] if os.environ.get(FOLDER_VARIABLE) else []
    models = PACK.parent.parent / "models"
    is_pack = PACK.parent.name == "custom_nodes" and models.is_dir()  # ComfyUI makes the folder in it when it starts
    comfy = [models / MODEL_FOLDER] if is_pack or (models / MODEL_FOLDER).is_dir() else []
    found = weight_folders(identity, [*first, *comfy], [PACK, *earlier_packs(PACK.parent)])
    return found if own in found else [*found, own]
