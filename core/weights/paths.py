"""Weight files on disk: found by name, only inside the given folders, and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from ..errors import InputError, MissingWeightsError, reason_in
from ..input_file import open_file
from .catalog import PublishedWeights

LONGEST_PART: Final = 255  # bytes; no common file system takes longer names
BLOCK: Final = 2**20  # bytes read at a time


def resolve_inside(folder: Path, name: str, called: str = "the model folder") -> Path:
    """Resolve a file name of unknown origin to a path inside a folder; the file need not exist.

    Subfolders may be written with either slash. Raises InputError, in which the folder is `called` so, for a name that
    leaves it: by `..`, as an absolute path, through a drive letter, or by way of a link.
    """
    parts = PureWindowsPath(name).parts  # splits at both slashes, and knows drives on every system
    if not parts or not all(_is_plain(part) for part in parts):
        raise InputError(f"{name!r} is no file name inside {called}; choose another file.")
    try:
        root = folder.resolve()
        path = root.joinpath(*parts).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, on Python before 3.13
        raise InputError(
            f"{name!r} cannot be resolved in {folder} ({reason_in(error)}); choose another file."
        ) from error
    if root not in path.parents:
        raise InputError(f"{name!r} leads out of {folder} through a link; move the file itself into the folder.")
    return path


def find_file(names: Sequence[str], folders: Iterable[Path]) -> Path | None:
    """Find the first file with one of the names, folder by folder (earlier names preferred); None without any."""
    for folder in folders:
        for name in names:
            path = resolve_inside(folder, name)
            if path.is_file():
                return path
    return None


def find_or_raise(entry: PublishedWeights, folders: Sequence[Path]) -> Path:
    """Find a published weight file; MissingWeightsError says where to get it and where to put it."""
    path = find_file(entry.files, folders)
    if path is not None:
        return path
    target = folders[0] if folders else "the model folder"
    raise MissingWeightsError(
        f"{entry.files[0]} (weights {entry.name!r}) was not found in {len(folders)} folders; "
        f"get it from {entry.page} and put it into {target}."
    )


def sha256_of(path: Path, check_cancelled: Callable[[], None] = lambda: None) -> str:
    """Compute a file's SHA-256, in hexadecimal. `check_cancelled` is called now and then, and may raise."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(BLOCK):
            check_cancelled()
            digest.update(block)
    return digest.hexdigest()


def _is_plain(part: str) -> bool:
    """Tell whether one part of a name is an ordinary file or folder name on every system."""
    if part in (".", "..") or any(mark in part for mark in '/\\:*?"<>|'):
        return False
    return part.isprintable() and len(part.encode(errors="replace")) <= LONGEST_PART
