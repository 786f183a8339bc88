"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import secrets
from pathlib import Path

from .errors import MediaError


class AtomicFile:
    """A hidden file beside `path` to write to: `commit` gives it the name, `discard` removes it.

    An older file at `path` is replaced in one step by `commit` and otherwise left alone. Raises MediaError
    where the folder is missing or `commit` is refused by the system.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise MediaError(f"{path} cannot be written: there is no folder {path.parent}. Create it first.")
        if path.is_dir():
            raise MediaError(f"{path} is a folder; the name of a file was wanted. Choose another name.")
        self.path = path
        self.part = path.with_name(f".{path.stem[:80]}.{secrets.token_hex(4)}.part")

    def commit(self) -> None:
        """Give the complete file its name."""
        try:
            self.part.replace(self.path)
        except OSError as error:
            raise MediaError(f"{self.path} cannot be replaced ({error.strerror}). Close what has it open.") from error

    def discard(self) -> None:
        """Remove the unfinished file; nothing happens after `commit`."""
        self.part.unlink(missing_ok=True)
