"""What HTTP headers say about which bytes of a file an answer holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PARTIAL: Final = 206


def first_byte(status: int, headers: Mapping[str, str]) -> int:
    """Where in the file an answer begins: what Content-Range says, or 0 for a whole file."""
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found and status == PARTIAL else 0


def whole_size(begin: int, headers: Mapping[str, str]) -> int | None:
    """The size of the whole file if the answer begins at `begin`; None if the server does not say."""
    length = headers.get("Content-Length", "")
    return begin + int(length) if re.fullmatch(r"\d+", length) else None


def size_in_refusal(headers: Mapping[str, str]) -> int | None:
    """The size of the file that a refusal of a range (status 416) tells, or None."""
    found = re.match(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
    return int(found[1]) if found else None
