"""Sample pictures and videos that ship with the pack, to try the bundled model on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..core.installation import PACK

SAMPLES: Final = PACK / "workflows" / "samples"
DRIVING: Final = SAMPLES / "driving.mp4"


def sample_pictures() -> dict[str, Path]:
    """Return the sample pictures by name: squares of one face, a portrait and a group."""
    return {path.stem: path for path in sorted(SAMPLES.glob("*.png"))}


def sample_videos() -> dict[str, Path]:
    """Return the sample videos by name, the one to begin with first."""
    return {path.stem: path for path in sorted(SAMPLES.glob("*.mp4"))}


def sample_boxes(path: Path) -> str:
    """Read the boxes of the faces of a sample, as JSON; an empty text for a sample that is all face."""
    boxes = path.with_suffix(".json")
    return boxes.read_text("utf-8").strip() if boxes.is_file() else ""
