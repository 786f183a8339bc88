"""Finding of the weight files that a user chose, on disk or by download."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, MissingWeightsError
from .architecture import Architecture, WeightsKind
from .catalog import PublishedWeights
from .checkpoint import Checkpoint, read_checkpoint
from .download import download
from .paths import find_file, find_or_raise

Stamps = tuple[tuple[Path, int], ...]


@dataclass(frozen=True, slots=True)
class WeightsRequest:
    """Request for weights: a published name, a file name that overrides it ("": none), and leave to download."""

    name: str
    file: str = ""
    download: bool = False


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """Files of one model: the main one, and by component those companions that were found.

    `folders` are where companions were looked for.
    """

    kind: WeightsKind
    path: Path
    companions: Mapping[str, Path] = field(default_factory=dict[str, Path])
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, kind: WeightsKind, path: Path, folders: Sequence[Path] = ()) -> WeightFiles:
        """Find the companions of a main file: beside it, then in the folders."""
        places, found = (path.parent, *folders), dict[str, Path]()
        for component, companion in companions_of(kind).items():
            file = next((f for row in companion.published if (f := find_file(row.files, places))), None)
            if file is not None:
                found[component] = file
        return cls(kind, path, found, places)

    @property
    def stamps(self) -> Stamps:
        """Files with the times of their last changes, in nanoseconds."""
        return tuple((file, file.stat().st_mtime_ns) for file in (self.path, *self.companions.values()))


def companions_of(kind: WeightsKind) -> Mapping[str, WeightsKind]:
    """Return the components that a kind publishes in files of their own; only architectures have any."""
    return kind.companion_files if isinstance(kind, Architecture) else {}


def published(kind: WeightsKind, name: str) -> PublishedWeights:
    """Return one of a kind's published files by its name; InputError lists the known names."""
    for row in kind.published:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in kind.published) or "none"
    raise InputError(f"{name!r} is not a published {kind.id} model; choose one of: {known}.")


def find_weights(
    kind: WeightsKind,
    request: WeightsRequest,
    folders: Sequence[Path],
    progress: Callable[[int, int | None], None],
    check_cancelled: Callable[[], None],
) -> WeightFiles:
    """Find the chosen file in the first folder that has it; a download goes into the first folder of all.

    `progress` is called with the bytes so far and in total. Raises MissingWeightsError, which says where to get the
    file and where to put it, InputError for an unknown name, DownloadError.
    """
    files = look_up(kind, request, folders)
    if files is not None:
        return files
    if request.file:
        raise MissingWeightsError(
            f"{request.file!r} is in none of the model folders; put it into {folders[0]}, or choose another file."
        )
    entry = published(kind, request.name)
    if request.download:
        return WeightFiles.of(kind, download(entry, folders[0], progress, check_cancelled), folders)
    return WeightFiles.of(kind, find_or_raise(entry, folders), folders)


def look_up(kind: WeightsKind, request: WeightsRequest, folders: Sequence[Path]) -> WeightFiles | None:
    """Find the requested files on disk; None if the main one is not there."""
    names = (request.file,) if request.file else published(kind, request.name).files
    path = find_file(names, folders)
    return None if path is None else WeightFiles.of(kind, path, folders)


def read_companions(checkpoint: Checkpoint, files: WeightFiles) -> dict[str, Checkpoint]:
    """Read the companion files that a checkpoint needs, by component; one that it has itself (as converted files
    do) is not needed.

    Raises MissingWeightsError, which says where to get a file and where to put it.
    """
    read: dict[str, Checkpoint] = {}
    for component, companion in companions_of(files.kind).items():
        if component not in checkpoint.components:
            path = files.companions.get(component) or find_or_raise(companion.published[0], files.folders)
            read[component] = read_checkpoint(path)
    return read
