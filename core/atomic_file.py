"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import MediaError


@contextmanager
def atomic_write(path: Path) -> Generator[Path, None, None]:
    """Write a whole file or none: yields a hidden path beside `path`, which takes that name when the block ends well.

    An older file is replaced in one step; after an error it is as it was, and nothing is left beside it. The file
    gets the permissions of any new file, whatever the library gave it that wrote it. Raises OSError where the
    system refuses.
    """
    part = _part_beside(path)
    try:
        part.touch()
        mode = part.stat().st_mode
        yield part
        part.chmod(mode)
        part.replace(path)
    finally:
        with suppress(OSError):  # nothing is there after success, nor if the folder is unusable
            part.unlink()


class AtomicFile:
    """File that is written whole or not at all, by a writer that begins and ends in different calls.

    `part` is a hidden file beside `path` to write to: `commit` gives it that name, `discard` removes it. Raises
    MediaError where no such file can be written, or where `commit` is refused by the system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.part = _part_beside(path)
        except OSError as error:
            raise MediaError(f"{path} cannot be written: {error}.") from error

    def commit(self) -> None:
        """Give the complete file its name."""
        try:
            self.part.replace(self.path)
        except OSError as error:
            raise MediaError(f"{self.path} cannot be replaced ({error.strerror}). Close what has it open.") from error

    def discard(self) -> None:
        """Remove the unfinished file; nothing happens after `commit`."""
        self.part.unlink(missing_ok=True)


def _part_beside(path: Path) -> Path:
    """Choose the unfinished file's name; raises OSError where `path` can be no file."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise IsADirectoryError("it is a folder; choose another name")
    return path.with_name(f".{path.stem[:48]}.{secrets.token_hex(4)}.part")
