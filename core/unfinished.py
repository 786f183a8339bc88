"""Unfinished files: kept out of sight while they grow, and removed however the work ends.

They lie in hidden folders, each locked by the process that fills it. A process that ends well, by an error or by a
signal removes its own; what one that was killed has left is removed by the next that writes to the same place.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from .file_lock import lock_at, try_lock

_HIDDEN: Final = re.compile(r"\.[\w-]{0,48}\.[0-9a-f]{8}\.part", re.ASCII)
_LOCK: Final = "lock"

_live: list[HiddenFolder] = []
_made: list[Path] = []
_kept: dict[Path, None] = {}


class HiddenFolder:
    """Folder for unfinished files, hidden beside the file that they will become; this process holds a lock in it."""

    def __init__(self, target: Path) -> None:
        """Make the folder, and remove those beside it that nobody fills any more. Raises OSError."""
        remove_abandoned(target.parent)
        self.path = _hidden_name(target)
        self._lock: IO[bytes] | None = None
        _live.append(self)  # first, so that it is removed whenever the work stops
        try:
            while not self._is_made():
                self._close()
                self.path = _hidden_name(target)
        except OSError:
            self.remove()
            raise

    def _is_made(self) -> bool:
        """Make and lock a folder; False where another process took it for abandoned before it was locked."""
        self.path.mkdir(0o700)
        self._lock = (self.path / _LOCK).open("xb")
        return lock_at(self._lock, self.path / _LOCK)  # without locks, nobody takes it for abandoned

    def remove(self) -> None:
        """Remove the folder with all that is in it; once it is gone, do nothing."""
        self._close()  # some systems delete no open file
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(ValueError):
            _live.remove(self)

    def _close(self) -> None:
        if self._lock is not None:
            self._lock.close()


def _hidden_name(target: Path) -> Path:
    label = re.sub(r"[^\w-]", "_", target.stem[:48], flags=re.ASCII)
    return target.with_name(f".{label}.{os.urandom(4).hex()}.part")


def remove_abandoned(folder: Path) -> None:
    """Remove from a folder what processes that are gone have left unfinished in it."""
    for hidden in _hidden_folders(folder):
        with suppress(OSError), (hidden / _LOCK).open("r+b") as lock:
            if not try_lock(lock):
                continue
            lock.close()
            shutil.rmtree(hidden, ignore_errors=True)


def _hidden_folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        for entry in folder.iterdir():
            if _HIDDEN.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
                yield entry


def make_folder(folder: Path) -> None:
    """Make a folder with those above it; it goes again if the work stops while it is empty. Raises OSError."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    _made.extend(reversed(missing))
    folder.mkdir(parents=True, exist_ok=True)


def keep(path: Path) -> None:
    """Note a file that stays when the work stops: a finished one, or one that a later call goes on with."""
    _kept[path] = None


def clean_up() -> list[Path]:
    """Remove all that is unfinished, and return the files that this process leaves behind."""
    for hidden in [*_live]:
        hidden.remove()
    for folder in reversed(_made):
        with suppress(OSError):  # it is in use
            folder.rmdir()
    _made.clear()
    kept = [path for path in _kept if _holds_something(path)]
    _kept.clear()
    return kept


def _holds_something(path: Path) -> bool:
    """Tell whether a file is there; one without any content, which nothing can go on with, is removed."""
    with suppress(OSError):
        if path.stat().st_size:
            return True
        path.unlink()
    return False
