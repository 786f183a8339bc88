"""Weight files that are missing: which, and what is said about all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...core.weights.architecture import WeightsKind
from ...core.weights.catalog import PublishedWeights
from ...core.weights.find import WeightsRequest, companions_of, look_up, published
from ...core.weights.paths import find_file

CONVERTED = ".safetensors"  # holds the companions' networks too
OWN_PAGE = ""


def own_file(name: str) -> PublishedWeights:
    """Describe a file of the user's own, which is published nowhere."""
    return PublishedWeights(name=name, files=(name,), page=OWN_PAGE, paper="")


def missing_files(
    kind: WeightsKind, request: WeightsRequest, folders_of: Callable[[str], Sequence[Path]]
) -> list[PublishedWeights]:
    """List the files that a request needs and that are in none of the folders for their kind, the main one first.

    A missing file of the user's own counts as one that is published nowhere. Raises InputError for an unknown name.
    """
    found = look_up(kind, request, folders_of(kind.id))
    missing: list[PublishedWeights] = []
    if found is None:
        missing.append(own_file(request.file) if request.file else published(kind, request.name))
    elif found.path.suffix == CONVERTED:
        return missing
    for companion in companions_of(kind).values():
        places = [*([found.path.parent] if found else []), *folders_of(kind.id), *folders_of(companion.id)]
        if not any(find_file(row.files, places) for row in companion.published):
            missing.append(companion.published[0])
    return missing


def explain(missing: Sequence[PublishedWeights], folder: Path, download: bool | None) -> str:
    """Say which files are missing, where they belong, where each is had, and which can be downloaded.

    `download` is whether the user chose to; None where there is no such choice.
    """
    those = "it" if len(missing) == 1 else "them"
    is_are = "is" if len(missing) == 1 else "are"
    sentences = [f"{_names(missing)} {is_are} missing; put {those} into {folder}."]
    for page in dict.fromkeys(row.page for row in missing):
        rows = [row for row in missing if row.page == page]
        if page == OWN_PAGE:
            sentences.append("Or choose another model; press R for the files that are there now.")
            continue
        sentence = f"Get {rows[0].files[0] if len(rows) == 1 else 'them'} from {page}"
        if all(row.can_be_fetched for row in rows) and download is False:
            sentence += ", or set if_missing to download"
        elif download:
            sentence += ": no address and SHA-256 are published by which it could be downloaded"
        sentences.append(f"{sentence}.")
    return " ".join(sentences)


def _names(rows: Sequence[PublishedWeights]) -> str:
    """Join the files' names, with their sizes where these are known."""
    sizes = ["" if row.size is None else f" ({row.size / 1e6:.0f} MB)" for row in rows]
    return " and ".join(f"{row.files[0]}{size}" for row, size in zip(rows, sizes, strict=True))
