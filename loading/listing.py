"""Names out of a weight file, made fit for a one-line message."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Final

FIRST: Final = 5
LONGEST: Final = 100  # characters of one name


def listed(names: Collection[str], first: int = FIRST) -> str:
    """The first few names, an ellipsis if there are more, or "none".

    Names come from files anyone may have written, so line breaks and control characters are escaped.
    """
    shown = [name.encode("unicode_escape").decode("ascii")[:LONGEST] for name in islice(names, first)]
    if len(names) > first:
        shown.append("…")
    return ", ".join(shown) or "none"
