"""Files that the command line works on: a picture, a clip with sound, and a tiny model."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from first_order_motion.core.weights.checkpoint import Checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_fomm.animator import FOMMAnimator
from PIL import Image

from .architectures import FOMM, SIDE, seeded
from .media_files import build_video, moving_pictures

COUNT = 11  # frames of the clip


def build_files(folder: Path) -> Path:
    """Write source.png, driving.mp4 and tiny.safetensors into a folder, and return it."""
    Image.fromarray(moving_pictures(1)[0].permute(1, 2, 0).numpy()).save(folder / "source.png")
    build_video(folder / "driving.mp4", COUNT, fps=Fraction(30000, 1001), audio="aac")
    model = seeded(FOMMAnimator(FOMM, SIDE))
    states = {name: dict(getattr(model, name).state_dict()) for name in ("generator", "kp_detector")}
    checkpoint = Checkpoint(Path("tiny"), states, {})
    to_safetensors(checkpoint, folder / "tiny.safetensors", metadata=to_metadata("fomm", FOMM, SIDE))
    return folder


def command(files: Path, *more: str, output: str = "result.mp4", source: str = "source.png") -> list[str]:
    """The command `run` on these files, with more options."""
    paths = [str(files / name) for name in (source, "driving.mp4", output)]
    return ["run", *paths, "--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu", *more]
