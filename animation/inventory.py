"""Inventory of weight files: which published ones are there, whole, damaged or missing, and what lies beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import CheckpointError, InputError, in_words, join_names, suggest
from ..core.output_path import shown
from ..core.weights.architecture import WeightsKind
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import read_checkpoint
from ..core.weights.paths import find_file, sha256_of
from . import registry

MISSING, THERE, WHOLE, READABLE, DIFFERENT, DAMAGED, WRONG, REFUSED = STATES = (
    "missing", "there", "whole", "readable", "different", "damaged", "wrong", "refused",
)  # fmt: skip
"""States of a file: not there; there and not checked; the published bytes; of unknown bytes, but read as what it should
be; of other bytes than the published, but read as that; not readable; weights of something else; a link that leads out
of its folder, or what is no file."""

UNUSABLE = frozenset({DAMAGED, WRONG, REFUSED})
SUFFIXES = frozenset({".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors", ".part"})
SAFETENSORS, PART = ".safetensors", ".part"
MOST_UNKNOWN = 200  # files that are listed

Folders = Callable[[str], Sequence[Path]]
"""Folders in which weights of a kind are looked for, by the kind's id; downloads go into the first."""


@dataclass(frozen=True, slots=True)
class Item:
    """Published file as it was found; `users` are the kinds that read it, each with its name for it."""

    users: tuple[tuple[WeightsKind, str], ...]
    row: PublishedWeights
    path: Path | None
    state: str
    note: str = ""

    @property
    def kind(self) -> WeightsKind:
        """Kind of weights that the file holds."""
        return self.users[0][0]


@dataclass(frozen=True, slots=True)
class UnknownFile:
    """File in a model folder that no published one is called like."""

    path: Path
    note: str


def published_files() -> list[tuple[PublishedWeights, tuple[tuple[WeightsKind, str], ...]]]:
    """List every published file once, with the kinds that read it."""
    users: dict[tuple[str, ...], list[tuple[WeightsKind, str]]] = {}
    rows: dict[tuple[str, ...], PublishedWeights] = {}
    for kind in registry.KINDS.values():
        for row in kind.published:
            rows.setdefault(row.files, row)
            users.setdefault(row.files, []).append((kind, row.name))
    return [(row, tuple(users[files])) for files, row in rows.items()]


def take_stock(folders: Folders, check: bool, progress: Callable[[Path], None] = lambda _: None) -> list[Item]:
    """Find every published file; with `check` each is hashed, or read where its hash is not known.

    `progress` is called with each file before it is checked.
    """
    items: list[Item] = []
    for row, users in published_files():
        try:
            path = find_file(row.files, folders(users[0][0].id))
        except InputError as error:
            items.append(Item(users, row, None, REFUSED, str(error)))
            continue
        if path is None:
            note = _misplaced(row.files, folders(users[0][0].id))
            items.append(Item(users, row, None, REFUSED if note else MISSING, note))
            continue
        if check:
            progress(path)
        state, note = _checked(row, users[0][0], path) if check else (THERE, _size_note(row, path))
        items.append(Item(users, row, path, state, note))
    return items


def _misplaced(names: Sequence[str], folders: Sequence[Path]) -> str:
    """Say what has one of the names in the folders and is no file; nothing without any."""
    places = (folder / name for folder in folders for name in names)
    place = next((place for place in places if os.path.lexists(place)), None)
    if place is None:
        return ""
    what = "a folder, a pipe or a device" if place.exists() else "a link that leads to no file"
    return f"{shown(place)} is {what}; a file was wanted. Move it away"


def _has_published_bytes(row: PublishedWeights, path: Path) -> bool:
    """Tell whether a file can have the published bytes: a converted one never has."""
    return path.suffix != SAFETENSORS or row.files[0].endswith(SAFETENSORS)


def _size_note(row: PublishedWeights, path: Path) -> str:
    size = path.stat().st_size
    if row.size in (None, size) or not _has_published_bytes(row, path):
        return ""
    return f"{size} bytes, and the published file has {row.size}: check it"


def _checked(row: PublishedWeights, kind: WeightsKind, path: Path) -> tuple[str, str]:
    """Return the state of a file, and what is wrong with it."""
    known = row.sha256 if _has_published_bytes(row, path) else None
    try:
        found = None if known is None else sha256_of(path)
        if found is not None and found == known:
            return WHOLE, ""
        checkpoint = read_checkpoint(path)
    except (CheckpointError, OSError) as error:
        return DAMAGED, in_words(error)
    try:
        registry.expect(checkpoint, kind.id)
    except CheckpointError as error:
        return WRONG, str(error)
    return (
        (READABLE, "") if found is None else (DIFFERENT, f"its SHA-256 is {found}, that of the published file {known}")
    )


def unknown_files(folders: Sequence[Path], check: bool) -> Iterator[UnknownFile]:
    """Find files of weights in folders that are called like no published one; with `check`, each is read."""
    known = {name.lower() for row, _ in published_files() for name in row.files}
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.suffix.lower() not in SUFFIXES or path.name.lower() in known or not path.is_file():
                continue
            if path.resolve() not in seen and len(seen) < MOST_UNKNOWN:
                seen.add(path.resolve())
                yield UnknownFile(path, _nature(path, check))


def _nature(path: Path, check: bool) -> str:
    """Say what a file of another name is."""
    if path.suffix == PART:
        return f"an unfinished download of {path.stem}"
    if not check:
        return ""
    try:
        checkpoint = read_checkpoint(path)
    except CheckpointError as error:
        return str(error).removeprefix(f"{path} ")
    kind = registry.identify(checkpoint)
    return f"is {registry.describe_unknown(checkpoint)}" if kind is None else f"holds {kind.name} weights"


def files_called(name: str, identity: str | None = None) -> list[tuple[WeightsKind, PublishedWeights]]:
    """List the published files with a name, which may be their file's, each with the first kind that reads it."""
    rows: dict[tuple[str, ...], tuple[WeightsKind, PublishedWeights]] = {}
    for row, users in published_files():
        for kind, own in users:
            if name in (own, *row.files) and identity in (None, kind.id):
                rows.setdefault(row.files, (kind, row))
    return [*rows.values()]


def named_file(name: str, identity: str | None) -> tuple[WeightsKind, PublishedWeights]:
    """Find a published file by one of its names, or its file's; InputError where none, or several, are called so."""
    rows = files_called(name, identity)
    if not rows:
        names = sorted({own for _, users in published_files() for kind, own in users if identity in (None, kind.id)})
        raise InputError(f"is {name!r}; one of these was wanted: {', '.join(names)}.{suggest(name, names)}", "download")
    if len(rows) > 1:
        raise InputError(
            f"is {name!r}, weights of {join_names([kind.id for kind, _ in rows])}. Say which by --architecture.",
            "download",
        )
    return rows[0]
