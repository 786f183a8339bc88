"""Finding of the weight files that a node's inputs name, in ComfyUI's folders."""

from __future__ import annotations

import comfy.model_management as management
from comfy.utils import ProgressBar

from ...animation.predictor import find_model
from ...animation.registry import KINDS
from ...core.errors import InputError, MissingWeightsError
from ...core.weights.find import Stamps, WeightFiles, WeightsRequest, find_weights, look_up
from ...core.weights.paths import find_file
from .folders import model_folders, search_folders

PERCENT = 100

_kinds: dict[Stamps, str] = {}  # of weight files, as reading large ones takes long


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


def find_by_content(name: str) -> WeightFiles:
    """Find a weight file in ComfyUI's model folders, and read off it which architecture's it is.

    Raises MissingWeightsError, CheckpointError for what animates nothing, InputError for a name outside the folders.
    """
    path = find_file((name,), model_folders())
    if path is None:
        raise MissingWeightsError(
            f"{name!r} is in none of the model folders; put it into {model_folders()[0]}, or choose another model."
        )
    stamp: Stamps = ((path, path.stat().st_mtime_ns),)
    if stamp not in _kinds:
        _kinds[stamp] = find_model(path)[0].kind.id
    return WeightFiles.of(KINDS[_kinds[stamp]], path, search_folders(_kinds[stamp]))


def fingerprint_by_content(name: str) -> str:
    """Return a text that changes when a weight file does; "" while there is none by that name."""
    try:
        path = find_file((name,), model_folders())
    except InputError:
        return ""
    return "" if path is None else f"{path} {path.stat().st_mtime_ns}"
