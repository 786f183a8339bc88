"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import MediaError
from .output_path import resolve_output, shown
from .signals import undisturbed
from .unfinished import HiddenFolder, keep


@contextmanager
def atomic_write(path: Path) -> Generator[Path, None, None]:
    """Write a whole file or none: yields a hidden path, whose file takes the name `path` when the block ends well.

    An older file is replaced in one step, and its permissions are kept; after an error it is as it was, and nothing is
    left beside it. A link is followed. Raises OSError where the system refuses.
    """
    target = resolve_output(path)
    hidden = HiddenFolder(target)
    try:
        part = new_part(hidden)
        yield part
        with undisturbed():
            put_in_place(part, target)
            keep(path)
    finally:
        hidden.remove()


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Generator[Path, None, None]:
    """Fill a whole folder or none: yields a hidden folder, which takes the name `target` when the block ends well.

    With `replace` a folder of that name makes room for it; without, there must be nothing of that name yet.
    Raises OSError where the system refuses.
    """
    hidden = HiddenFolder(target)
    try:
        part = hidden.path / "folder"
        part.mkdir()
        yield part
        with undisturbed():
            _take_place(part, target, hidden.path / "before" if replace else None)
            keep(target)
    finally:
        hidden.remove()


def _take_place(part: Path, target: Path, aside: Path | None) -> None:
    """Give a folder its name; one that bears it goes `aside`, and comes back if the system refuses the new one."""
    moved = aside is not None and target.exists()
    if aside is not None and moved:
        target.rename(aside)
    try:
        part.rename(target)
    except OSError:
        if aside is not None and moved:
            aside.rename(target)
        raise


class AtomicFile:
    """File that is written whole or not at all, by a writer that begins and ends in different calls.

    `part` is a hidden file to write to: `commit` gives it the name `path`, `discard` removes it. Raises MediaError
    where no such file can be written, or where `commit` is refused by the system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hidden: HiddenFolder | None = None
        self._part: Path | None = None
        try:
            self._target = resolve_output(path)
        except OSError as error:
            raise MediaError(f"{shown(path)} cannot be written: {error.strerror or error}.") from error

    @property
    def part(self) -> Path:
        """The unfinished file, made when it is first asked for; OSError where the system refuses."""
        if self._part is None:
            self._hidden = HiddenFolder(self._target)
            self._part = new_part(self._hidden)
        return self._part

    def commit(self) -> None:
        """Give the complete file its name."""
        try:
            with undisturbed():
                put_in_place(self.part, self._target)
                keep(self.path)
        except OSError as error:
            reason = error.strerror or error
            raise MediaError(f"{shown(self.path)} cannot be replaced ({reason}). Close what has it open.") from error

    def discard(self) -> None:
        """Remove the unfinished file; nothing happens to one that has its name."""
        if self._hidden is not None:
            self._hidden.remove()
        self._hidden = self._part = None


def new_part(hidden: HiddenFolder, name: str = "part") -> Path:
    """Make an empty file in a hidden folder, with the permissions of any new file."""
    part = hidden.path / name
    part.touch()
    return part


def put_in_place(part: Path, target: Path) -> None:
    """Move a finished file over `target`, whose permissions it gets: those of the file there, else of any new file.

    Some libraries write a file of their own over the one that they were given, with other permissions. Raises OSError.
    """
    fresh = part.with_name("permissions")
    fresh.touch()
    like = target if target.exists() else fresh
    if hasattr(os, "chown"):
        with suppress(OSError):  # another user's file, in a folder that we may write to: then it becomes ours
            os.chown(part, like.stat().st_uid, like.stat().st_gid)
    shutil.copymode(like, part)
    part.replace(target)


def place(part: Path, path: Path) -> None:
    """Move a finished file from a hidden folder beside `path` to its place, or where a link there leads.

    Raises OSError.
    """
    target = resolve_output(path)
    if target.parent == path.parent:
        put_in_place(part, target)
    else:  # perhaps another file system
        with atomic_write(path) as beside:
            shutil.copyfile(part, beside)
