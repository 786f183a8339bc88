"""From what a user chose to a weight file on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingWeightsError
from .catalog import published
from .download import download
from .paths import find_file, find_or_raise


@dataclass(frozen=True, slots=True)
class WeightsRequest:
    """A published name, a file name that overrides it ("" for none), and whether a missing one may be fetched."""

    name: str
    file: str = ""
    download: bool = False


def find_weights(
    architecture: str,
    choice: WeightsRequest,
    folders: Sequence[Path],
    progress: Callable[[int, int | None], None],
    check_cancelled: Callable[[], None],
) -> Path:
    """The chosen file in the first folder that has it; a download goes into the first folder of all.

    `progress` is told bytes so far and in all. Raises MissingWeightsError, which says where to get the file
    and where to put it, InputError for a name that is none, DownloadError.
    """
    path = look_up(architecture, choice, folders)
    if path is not None:
        return path
    if choice.file:
        raise MissingWeightsError(f"{choice.file!r} is in none of the model folders; put it into {folders[0]}.")
    entry = published(architecture, choice.name)
    if choice.download:
        return download(entry, folders[0], progress, check_cancelled)
    return find_or_raise(entry, folders)


def look_up(architecture: str, choice: WeightsRequest, folders: Sequence[Path]) -> Path | None:
    """The chosen file where it is, or None."""
    return find_file((choice.file,) if choice.file else published(architecture, choice.name).files, folders)
