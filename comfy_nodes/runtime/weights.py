"""Finding of the weight files that a node's inputs name, in ComfyUI's folders."""

from __future__ import annotations

import comfy.model_management as management
from comfy.utils import ProgressBar

from ...animation.registry import KINDS
from ...core.errors import InputError
from ...core.weights.find import WeightFiles, WeightsRequest, find_weights, look_up
from .folders import search_folders

PERCENT = 100


def find(identity: str, request: WeightsRequest) -> WeightFiles:
    """Find the files, downloaded first if the user chose so; see `core.weights.find.find_weights` for the errors."""
    bar = ProgressBar(PERCENT)

    def progress(done: int, total: int | None) -> None:
        bar.update_absolute(done * PERCENT // total if total else 0)

    check_cancelled = management.throw_exception_if_processing_interrupted
    return find_weights(KINDS[identity], request, search_folders(identity), progress, check_cancelled)


def fingerprint(identity: str, request: WeightsRequest) -> str:
    """Return a text that changes when one of the files does; "" while there is none by that name."""
    try:
        files = look_up(KINDS[identity], request, search_folders(identity))
    except InputError:  # `find` raises it again, where the user sees it
        return ""
    return "" if files is None else str(files.stamps)
