"""SHA-256 of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

BLOCK: Final = 2**20


def sha256_of(path: Path, check_cancelled: Callable[[], None] = lambda: None) -> str:
    """The file's SHA-256 in hexadecimal; `check_cancelled` is called now and then, and may raise."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            check_cancelled()
            digest.update(block)
    return digest.hexdigest()
