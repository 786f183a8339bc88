"""Places that are to be written: each is checked before work begins, and none may be a file that was given."""

from __future__ import annotations

import glob
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from .errors import InputError, MediaError, one_line

_NUMBER: Final = re.compile(r"%(?:0([1-9]))?d")
_ANY_NUMBER: Final = re.compile(r"%\d*d")
_ANY_WRITER: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def resolve_output(path: Path) -> Path:
    """Follow links to the file that is to be written. Raises OSError, with a reason in words, where it cannot be."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError("it is a link that leads in a circle; choose another name")
    folder, found = _stat(target.parent), _stat(target)
    if folder is None:
        raise FileNotFoundError(f"there is no folder {target.parent}; create it first")
    if not stat.S_ISDIR(folder.st_mode):
        raise NotADirectoryError(f"{target.parent} is no folder; choose another place")
    if found is not None:
        _check_replaceable(target, found.st_mode)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"nothing may be written to the folder {target.parent}; choose another or allow it")
    return target


def _check_replaceable(target: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError("it is a folder; choose another name")
    if not stat.S_ISREG(mode):
        raise OSError("it is a device or a pipe, and only an ordinary file can be replaced; choose another name")
    if not mode & _ANY_WRITER or not os.access(target, os.W_OK):
        raise PermissionError("it is there and write-protected; choose another name or allow writing")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_output(path: Path) -> None:
    """Raise MediaError where no file can be written to `path`."""
    try:
        resolve_output(path)
    except OSError as error:
        raise MediaError(f"{shown(path)} cannot be written: {error.strerror or error}.") from error


def check_folder(folder: Path) -> None:
    """Raise MediaError where `folder` is none and cannot be made."""
    place = next(found for found in (folder, *folder.parents) if os.path.lexists(found) or found.parent == found)
    if not place.is_dir():
        raise MediaError(f"The folder {shown(folder)} cannot be made: {shown(place)} is none. Choose another.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise MediaError(f"Nothing may be written to the folder {shown(place)}. Choose another, or allow it.")


def shown(path: Path, longest: int = 200) -> str:
    """Return a path for a message, on one line and without the middle of one that is too long."""
    text = one_line(str(path))
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-longest // 2 :]}"


def numbered_names(pattern: str) -> re.Pattern[str]:
    """Build the expression for the names that are written by a pattern such as `%05d.png`."""
    number = _NUMBER.search(pattern)
    if number is None:
        return re.compile(re.escape(pattern), re.IGNORECASE)
    width = int(number[1] or 1)
    before, after = re.escape(pattern[: number.start()]), re.escape(pattern[number.end() :])
    return re.compile(rf"{before}(?:\d{{{width}}}|[1-9]\d{{{width},}}){after}", re.IGNORECASE)


def _around_number(names: re.Pattern[str]) -> str:
    """Return what stands before and after the number in names that `numbered_names` built."""
    before, _, rest = names.pattern.partition("(?:")
    return f"{before}#{rest.partition(')')[2]}"


@dataclass(frozen=True, slots=True)
class Output:
    """File to be written, as the user named it, or with `names` the numbered files in its folder.

    `parameter` is the name of the parameter or option that says where.
    """

    parameter: str
    path: Path
    names: re.Pattern[str] | None = None

    def existing(self) -> Iterator[Path]:
        """Yield the files that are there already."""
        if self.names is None:
            yield self.path
        elif self.path.parent.is_dir():
            yield from (file for file in self.path.parent.iterdir() if self.names.fullmatch(file.name))

    def covers(self, other: Path) -> bool:
        """Tell whether another file would be one of these, on systems that ignore case too."""
        own, place = _real(self.path), _real(other)
        if _folded(own.parent.as_posix()) != _folded(place.parent.as_posix()):
            return False
        return bool(self.names.fullmatch(place.name)) if self.names else _folded(own.name) == _folded(place.name)

    def may_meet(self, other: Output) -> bool:
        """Tell whether one file could be of both; numbered ones could where the text around their numbers is alike."""
        if self.names is None or other.names is None:
            return any(a.covers(b.path) for a, b in ((self, other), (other, self)) if b.names is None)
        beside = Output(self.parameter, self.path.with_name(_around_number(self.names)))
        return beside.covers(other.path.with_name(_around_number(other.names)))


def refuse_clashes(outputs: Sequence[Output], inputs: Mapping[str, Path | Sequence[Path] | None]) -> None:
    """Raise InputError for an output that is one of the inputs, however it is spelled or linked, or another output.

    `inputs` are files by what they are ("the driving video"); one may be a folder or a pattern of many.
    """
    for output in outputs:
        taken = {identity for file in output.existing() if (identity := _identity(file))}
        for what, given in inputs.items():
            for file in _files_of(given):
                if _identity(file) in taken:
                    raise InputError(
                        f"is {shown(output.path)}, which would overwrite {what}, {shown(file)}. Choose another name.",
                        output.parameter,
                    )
    for first, second in combinations(outputs, 2):
        if first.may_meet(second):
            raise InputError(
                f"is {shown(second.path)}, which would be written twice, as {shown(first.path)} is to be written too. "
                "Choose another name.",
                second.parameter,
            )


def _files_of(given: Path | Sequence[Path] | None) -> Iterator[Path]:
    """Yield the files that were given: themselves, all of a folder, or those of a numbered pattern."""
    for path in [given] if isinstance(given, Path) else given or ():
        if path.is_dir():
            yield from path.iterdir()
        elif path.exists():
            yield path
        elif path.parent.is_dir():
            pattern = _ANY_NUMBER.sub("*", glob.escape(path.name.replace("%%", "%")))  # too many rather than too few
            yield from path.parent.glob(pattern)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever it is called; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
