"""Files that are read: ordinary ones alone, as of a pipe or a device the end may never come."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import BinaryIO, Final

NOT_ORDINARY: Final = "it is a folder, a pipe or a device; an ordinary file was wanted"


def check_ordinary(path: Path) -> None:
    """Raise OSError for a file that is not there, and with a reason in words for what is no ordinary one."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, NOT_ORDINARY, str(path))


def open_file(path: Path) -> BinaryIO:
    """Open an ordinary file to read its bytes. Raises OSError."""
    check_ordinary(path)
    return path.open("rb")
