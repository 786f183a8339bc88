"""Locks on open files, by which processes tell what is in use; the system takes them back when a process ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(2**31 - 2)  # a byte behind the content, which others may then still read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file for this process alone, without waiting.

    False if someone else holds the lock: another process, or another `open` of this one. Raises OSError on file
    systems that know no locks. The lock ends when the file is closed; where the file is read and written next is open.
    """
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_at(file: IO[bytes], path: Path) -> bool:
    """Tell whether an open file is still the one at `path`: it may have been renamed or deleted since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def lock_at(file: IO[bytes], path: Path) -> bool:
    """Lock an open file as `try_lock` does; False, too, if it is no longer the one at `path`.

    Where the file system knows no locks, it counts as locked.
    """
    with suppress(OSError):
        return try_lock(file) and is_at(file, path)
    return True


@contextmanager
def held(path: Path) -> Generator[bool, None, None]:
    """Hold a lock file for as long as the block lasts; False if someone else does. It is removed at the end.

    Where the file system knows no locks, it counts as held. Raises OSError where no file can be made.
    """
    with path.open("ab") as file:
        mine = lock_at(file, path)
        try:
            yield mine
        finally:
            if mine and sys.platform != "win32":  # which deletes no open file
                path.unlink(missing_ok=True)
