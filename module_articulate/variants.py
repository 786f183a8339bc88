"""Which published model a weight file is: what cannot be read off its tensors is known only so."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..core.weights.catalog import PublishedWeights, published_for
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.paths import sha256_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """`size` of the pictures it was trained on, `pad` of its heatmaps, and the `word` that betrays a file's name.

    With the wrong `pad` the weights load, and every region is misplaced.
    """

    size: int
    pad: int
    num_regions: int
    word: str


VARIANTS = {
    "vox256": Variant(256, 3, 10, "vox"),
    "taichi256": Variant(256, 0, 10, "taichi"),
    "ted384": Variant(384, 0, 10, "ted"),
    "ted-youtube384": Variant(384, 0, 20, "youtube"),
    "mgif256": Variant(256, 0, 10, "mgif"),
}


def variant_of(checkpoint: Checkpoint, choice: str | None = None) -> Variant | None:
    """By the file's hash, its size, its name, or the user's `choice`, in that order; None if nothing tells.

    Only variants with as many regions as the file come into question.
    """
    if choice is not None and choice not in VARIANTS:
        raise InputError(f"The variant is {choice!r}; choose one of: {', '.join(VARIANTS)}.")
    head = checkpoint.components["region_predictor"].get("regions.weight")
    rows = [
        row
        for row in published_for("articulate")
        if head is None or head.shape[:1] == (VARIANTS[row.name].num_regions,)
    ]
    found = _by_content(checkpoint.path, rows) or _by_name(checkpoint.path, rows)
    if found is None and choice is not None:
        found = choice, "chosen"
    if found is None:
        return None
    name, reason = found
    log.info("%s is taken for %s, by its %s.", checkpoint.path.name, name, reason)
    return VARIANTS[name]


def _by_content(path: Path, rows: Sequence[PublishedWeights]) -> tuple[str, str] | None:
    """The row the file is byte for byte, else one of its length; only such a file is read to hash it."""
    if not path.is_file():
        return None
    length = path.stat().st_size
    rows = [row for row in rows if row.size == length]
    if not rows:
        return None
    digest = sha256_of(path)
    same = next((row for row in rows if row.sha256 == digest), None)
    return (rows[0].name, "size") if same is None else (same.name, "hash")


def _by_name(path: Path, rows: Sequence[PublishedWeights]) -> tuple[str, str] | None:
    """The one row whose word is in the file's name: "vox" in vox256-face.pth, but no "ted" in converted.pth."""
    words = set(re.findall("[a-z]+", path.name.lower()))
    named = [row.name for row in rows if VARIANTS[row.name].word in words]
    return (named[0], "name") if len(named) == 1 else None
