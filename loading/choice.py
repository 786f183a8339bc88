"""From what a user chose to a weight file on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import MissingWeightsError
from .download import download
from .locate import locate, require
from .published import published


@dataclass(frozen=True, slots=True)
class WeightsChoice:
    """A published name, a file name that overrides it ("" for none), and whether a missing one may be fetched."""

    name: str
    file: str = ""
    download: bool = False


def find_weights(
    architecture: str,
    choice: WeightsChoice,
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
    return require(entry, folders)


def look_up(architecture: str, choice: WeightsChoice, folders: Sequence[Path]) -> Path | None:
    """The chosen file where it is, or None."""
    return locate((choice.file,) if choice.file else published(architecture, choice.name).files, folders)
