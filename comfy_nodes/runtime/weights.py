"""Finding of the weight files that a node's inputs name, in ComfyUI's folders."""

from __future__ import annotations

from collections.abc import Iterable

import comfy.model_management as management
from comfy.utils import ProgressBar

from ...animation.find_model import find_model
from ...animation.registry import KINDS
from ...core.errors import InputError, MissingWeightsError
from ...core.weights.find import Stamps, WeightFiles, WeightsRequest, companions_of, find_weights, look_up
from ...core.weights.paths import find_file
from .folders import make_model_folder, model_folders, search_folders
from .missing import explain, missing_files, own_file

PERCENT = 100

_kinds: dict[Stamps, str] = {}  # of weight files, as reading large ones takes long


def find(identity: str, request: WeightsRequest) -> WeightFiles:
    """Find the files, downloaded first if the user chose so; see `core.weights.find.find_weights` for the errors."""
    bar = ProgressBar(PERCENT)

    def progress(done: int, total: int | None) -> None:
        bar.update_absolute(done * PERCENT // total if total else 0)

    check_cancelled = management.throw_exception_if_processing_interrupted
    return find_weights(KINDS[identity], request, search_folders(identity), progress, check_cancelled)


def check_there(*wanted: tuple[str, WeightsRequest]) -> bool:
    """Return True where all files are there or will be downloaded.

    Raises MissingWeightsError about all that are missing; as an error and not as an answer, since ComfyUI repeats an
    answer for every input that was looked at, and newer frontends hide it behind one more click. ComfyUI blames errors
    on an input of the next node; `web/errors.js` puts them at the menu of models.
    """
    files = [row for identity, request in wanted for row in missing_files(KINDS[identity], request, search_folders)]
    download = any(request.download for _, request in wanted)
    if all(download and row.can_be_fetched for row in files):
        return True
    choice = any(downloadable(identity) for identity, _ in wanted)
    raise MissingWeightsError(explain(files, make_model_folder(), download if choice or download else None))


def check_file_there(name: str) -> bool:
    """Return True where a file that was chosen by its name is in a model folder; raises MissingWeightsError."""
    if find_file((name,), model_folders()) is not None:
        return True
    raise MissingWeightsError(explain([own_file(name)], make_model_folder(), None))


def first_present(identity: str, names: Iterable[str]) -> str | None:
    """Return the first of a kind's published names whose files are there; None without any."""
    kind, folders = KINDS[identity], search_folders(identity)
    return next((name for name in names if look_up(kind, WeightsRequest(name), folders) is not None), None)


def downloadable(*identities: str) -> list[str]:
    """List the published names, of these kinds and their companions, that can be downloaded and checked."""
    kinds = [kind for identity in identities for kind in (KINDS[identity], *companions_of(KINDS[identity]).values())]
    names = [row.name for kind in kinds for row in kind.published if row.can_be_fetched]
    return list(dict.fromkeys(names))  # some have a name in common


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
