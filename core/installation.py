"""Place and version of this package, and the folder of a user's own weights."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

PACK: Final = Path(__file__).resolve().parent.parent
"""Folder of the package: the clone's, or that in site-packages."""

DISTRIBUTION: Final = "first-order-motion"
FOLDER_VARIABLE: Final = "FIRST_ORDER_MOTION_MODELS"
"""Environment variable that names another folder than `user_folder`'s default."""

_PROJECT: Final = PACK / "pyproject.toml"


def is_installed() -> bool:
    """Tell an installed package, into whose folder nothing is written, from a clone of the repository."""
    return not _PROJECT.is_file()


def pack_version() -> str:
    """Return the version of this pack, which stands in a clone's `pyproject.toml` alone."""
    if is_installed():
        return metadata.version(DISTRIBUTION)
    found = re.search(r'^version = "([^"]+)"', _PROJECT.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "not stated"


def user_folder(name: str) -> Path:
    """Return the user's folder of weights: that of FOLDER_VARIABLE, else `name` where this system keeps users' data.

    It need not exist.
    """
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / name
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / name
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / name


def install_hint(extra: str) -> str:
    """Say how an extra of this package is installed, as the end of a sentence."""
    return f"pip install '.[{extra}]' in this pack's folder"
