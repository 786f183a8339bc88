"""Identification of the published model that a weight file is, for settings that its tensors do not show."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.paths import sha256_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """Published model: `size` of its training pictures, `pad` of its heatmaps, `word` that identifies a file's name.

    With the wrong `pad` the weights load, and every region is misplaced.
    """

    size: int
    pad: int
    num_regions: int
    word: str


_REPOSITORY = "https://github.com/snap-research/articulated-animation"  # its Git LFS pointers state the hashes


def _published(name: str, sha256: str, size: int) -> PublishedWeights:
    """Describe one file; they are on a file-sharing page only, which is reported dead."""
    return PublishedWeights(
        name=name,
        files=(f"{name}.pth", f"{name}.safetensors"),
        sha256=sha256,
        size=size,
        stated_at=_REPOSITORY,
        page=_REPOSITORY,
        paper="Siarohin, Woodford, Ren, Chai, Tulyakov: Motion Representations for Articulated Animation, CVPR 2021",
        earlier="module_articulate/models",
    )


PUBLISHED = (
    _published("vox256", "a8c59e0b38f96195eac6414265dcf8e4b15e0675cea2622489b735edc61b3b66", 291747542),
    _published("taichi256", "6fd5ebb68953d6c7d02ff765986efa1c8a62d349817fe736a6069e07dc8c17af", 273409176),
    _published("ted384", "5c88fb60718a64a8fd87043b0e95781b50e500457d03bf3b4fd26cca6b70c3f7", 273409224),
    _published("ted-youtube384", "75ce78089fc2f0b0a276346bf8f14c2043895845ed869bdbe9b2656d3feec13b", 292943746),
    _published("mgif256", "58b796e31f763ccfbb240f959c9d92c2afe8a6e57da303e07d8fabd1f2921c68", 248256308),
)

VARIANTS = {
    "vox256": Variant(256, 3, 10, "vox"),
    "taichi256": Variant(256, 0, 10, "taichi"),
    "ted384": Variant(384, 0, 10, "ted"),
    "ted-youtube384": Variant(384, 0, 20, "youtube"),
    "mgif256": Variant(256, 0, 10, "mgif"),
}


def identify_variant(checkpoint: Checkpoint, choice: str | None = None) -> Variant | None:
    """Identify a file by its hash, its size, its name, or the user's `choice`, in that order; None if nothing matches.

    Only variants with as many regions as the file are considered.
    """
    if choice is not None and choice not in VARIANTS:
        raise InputError(f"is {choice!r}; choose one of: {', '.join(VARIANTS)}.", "variant")
    head = checkpoint.components["region_predictor"].get("regions.weight")
    rows = [row for row in PUBLISHED if head is None or head.shape[:1] == (VARIANTS[row.name].num_regions,)]
    found = _by_content(checkpoint.path, rows) or _by_name(checkpoint.path, rows)
    if found is None and choice is not None:
        found = choice, "chosen"
    if found is None:
        return None
    name, reason = found
    log.info("%s is taken for %s, by its %s.", checkpoint.path.name, name, reason)
    return VARIANTS[name]


def _by_content(path: Path, rows: Sequence[PublishedWeights]) -> tuple[str, str] | None:
    """Find the row with the file's hash, else one with its size; only a file of such a size is hashed."""
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
    """Find the one row whose word is in the file's name: "vox" in vox256-face.pth, but no "ted" in converted.pth."""
    words = set(re.findall("[a-z]+", path.name.lower()))
    named = [row.name for row in rows if VARIANTS[row.name].word in words]
    return (named[0], "name") if len(named) == 1 else None
