"""Command `weights`: which published weights are there, whole, damaged or missing, and where they go; fetches one."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from ..animation.inventory import (
    MISSING,
    STATES,
    UNUSABLE,
    Folders,
    Item,
    UnknownFile,
    files_called,
    named_file,
    take_stock,
    unknown_files,
)
from ..animation.model_folders import default_folders
from ..animation.registry import KINDS
from ..core.errors import InputError
from ..core.output_path import check_folder, shown
from ..core.weights.download import download
from ..core.weights.paths import find_file
from .progress import progress_bar
from .table import write_table

log = logging.getLogger(__name__)

FOUND_DAMAGE = 1  # exit status


def add_weights_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `weights`."""
    command.add_argument("--folder", type=Path, help="look in this folder alone, and download into it")
    command.add_argument(
        "--check",
        action="store_true",
        help="hash every file, or read it where its hash is not known; the exit status is 1 if one is of no use",
    )
    command.add_argument("--download", metavar="NAME", help="fetch this file, and do nothing else")
    command.add_argument(
        "--architecture",
        choices=[row.id for row in KINDS.values() if row.published],
        help="of these weights alone; with --download, where several have a file of that name",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.set_defaults(command=weights)


def weights(args: argparse.Namespace) -> int | None:
    """Show the weights, or fetch those that `args.download` names."""
    folders = _folders(args.folder)
    if args.download is not None:
        fetch(args.download, args.architecture, folders)
        return None
    with progress_bar("file", "checking") as progress:
        seen = 0

        def show(_: Path) -> None:
            nonlocal seen
            seen += 1
            progress(seen, None)

        items = take_stock(folders, args.check, show)
    items = [item for item in items if args.architecture in (None, *(kind.id for kind, _ in item.users))]
    places = list(dict.fromkeys(place for item in items for place in folders(item.kind.id)))
    others = [] if args.architecture else [*unknown_files(places, args.check)]
    if args.json:
        print(json.dumps(_as_json(items, others, places), indent=2))
    else:
        _show(items, others, places)
    return FOUND_DAMAGE if args.check and any(item.state in UNUSABLE for item in items) else None


def _folders(folder: Path | None) -> Folders:
    """Return the folders of each kind. Raises InputError for one that is not there."""
    if folder is None:
        return default_folders
    if folder.exists() and not folder.is_dir():
        raise InputError(f"is {shown(folder)}, which is no folder. Choose another.", "folder_option")
    if not folder.exists():
        check_folder(folder)
    return lambda _: [folder]


def fetch(name: str, architecture: str | None, folders: Folders) -> None:
    """Download a published file, or check the one that is there. Raises InputError or DownloadError."""
    kind, row = named_file(name, architecture)
    found = find_file(row.files, folders(kind.id))
    if found is not None and not row.can_be_fetched:
        log.info("%s is there already; --check says whether it is whole.", shown(found))
        return
    folder = folders(kind.id)[0]
    check_folder(folder)
    with progress_bar("B", row.files[0]) as progress:
        path = download(row, folder, progress, lambda: None)
    log.info("%s is whole: its SHA-256 is the published one.", shown(path))


def _show(items: Sequence[Item], others: Sequence[UnknownFile], places: Sequence[Path]) -> None:
    """Print the table, and what is to be said of single files."""
    print(f"Weights go into {shown(places[0])}{'' if places[0].is_dir() else ' (which is not there yet)'}.")
    for place in places[1:]:
        if place.is_dir():
            print(f"Looked into {shown(place)}, too.")
    write_table(
        ("name", "for", "state", "file", "MB", "to be had"),
        [
            (
                item.row.name,
                ", ".join(dict.fromkeys(kind.id for kind, _ in item.users)),
                item.state,
                shown(item.path, 60) if item.path is not None else item.row.files[0],
                _megabytes(item),
                _source(item),
            )
            for item in items
        ],
    )
    for item in items:
        if item.note:
            print(f"{item.row.name}: {item.state}: {item.note}")
    for other in others:
        print(f"not known: {shown(other.path)}{': ' if other.note else ''}{other.note}")
    counts = {state: sum(item.state == state for item in items) for state in STATES}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))


def _megabytes(item: Item) -> str:
    size = item.row.size if item.path is None else item.path.stat().st_size
    return "" if size is None else f"{size / 1e6:.0f}"


def _source(item: Item) -> str:
    if item.state != MISSING:
        return ""
    if not item.row.can_be_fetched:
        return item.row.page
    unclear = len(files_called(item.row.name)) > 1
    return f"--download {item.row.name}" + (f" --architecture {item.kind.id}" if unclear else "")


def _as_json(items: Sequence[Item], others: Sequence[UnknownFile], places: Sequence[Path]) -> dict[str, object]:
    rows = [
        {
            "name": item.row.name,
            "architectures": [kind.id for kind, _ in item.users],
            "state": item.state,
            "path": None if item.path is None else str(item.path),
            "file": item.row.files[0],
            "size": item.row.size,
            "sha256": item.row.sha256,
            "can_be_fetched": item.row.can_be_fetched,
            "page": item.row.page,
            "note": item.note,
        }
        for item in items
    ]
    unknown = [{"path": str(other.path), "note": other.note} for other in others]
    return {"folders": [str(place) for place in places], "weights": rows, "unknown": unknown}
