"""`demo`: the pack at work on the bundled model and samples, with nothing to download."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..animation.pipeline import AnimateOptions
from ..animation.registry import load_animator
from ..core.device import pick_device
from ..core.errors import MediaError
from ..loading import bundled
from ..loading.published import BUNDLED
from ..media.reader import VideoClip, read_picture
from .run import animate_file
from .weights import weight_file


def demo(args: argparse.Namespace) -> None:
    """Animate each bundled picture by the bundled video into `args.output`: an mp4 and a contact sheet each."""
    folder: Path = args.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"The folder {folder} cannot be made ({error}). Name another with --output.") from error
    device = pick_device("auto")
    model = load_animator(weight_file("fomm", BUNDLED, allow_download=False), "fomm").to(device)
    clip = VideoClip(bundled.DRIVING)
    for name, picture in bundled.sample_pictures().items():
        output = folder / f"{name}.mp4"
        animate_file(model, read_picture(picture), clip, device, AnimateOptions(), output, output.with_suffix(".png"))
