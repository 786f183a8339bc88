"""The weight file a node's widgets mean, in ComfyUI's folders."""

from __future__ import annotations

from pathlib import Path

import comfy.model_management as management
from comfy.utils import ProgressBar

from ...animation.registry import versions
from ...core.errors import InputError
from ...core.weights.find import WeightsRequest, find_weights, look_up
from .folders import search_folders

PERCENT = 100


def find(architecture: str, choice: WeightsRequest) -> Path:
    """The file, downloaded first if the user chose so; see `loading.choice.find_weights` for the errors."""
    bar = ProgressBar(PERCENT)

    def progress(done: int, total: int | None) -> None:
        bar.update_absolute(done * PERCENT // total if total else 0)

    return find_weights(
        architecture,
        choice,
        search_folders(architecture),
        progress,
        management.throw_exception_if_processing_interrupted,
    )


def fingerprint(architecture: str, choice: WeightsRequest) -> str:
    """Changes when the file, or one of a part of it, does; "" while there is none by that name."""
    folders = search_folders(architecture)
    try:
        path = look_up(architecture, choice, folders)
    except InputError:  # said by `find`, where the user sees it
        return ""
    return "" if path is None else str(versions(path, architecture, folders))
