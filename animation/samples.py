"""Sample pictures and a sample video that ship with the pack, to try the bundled model on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACK: Final = Path(__file__).resolve().parent.parent
SAMPLES: Final = PACK / "workflows" / "samples"
DRIVING: Final = SAMPLES / "driving.mp4"


def sample_pictures() -> dict[str, Path]:
    """Return the sample pictures by name."""
    return {path.stem: path for path in sorted(SAMPLES.glob("*.png"))}
