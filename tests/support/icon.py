"""The pack's icon, one of the faces that it draws itself: `python tests/support/icon.py` writes icon.png anew."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
ICON = ROOT / "icon.png"
SIDE, COLOURS = 400, 48
SEED, FACES, CHOSEN = 5, 24, 5


def drawn_icon() -> Image.Image:
    """Draw the bear among the faces of a seed."""
    from first_order_motion.training.drawn import Identity, Pose, draw

    generator = torch.Generator().manual_seed(SEED)
    identity, pose = Identity.sample(FACES, generator), Pose.sample(FACES, generator)
    face = draw(identity[CHOSEN : CHOSEN + 1], pose[CHOSEN : CHOSEN + 1], SIDE)[0]
    return Image.fromarray((face.permute(1, 2, 0) * 255).round().byte().numpy())


if __name__ == "__main__":
    runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()
    drawn_icon().quantize(COLOURS, dither=Image.Dither.NONE).save(ICON, optimize=True)
    sys.exit(0)
