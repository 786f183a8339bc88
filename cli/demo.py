"""`demo`: the pack at work on the bundled model and samples, with nothing to download."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..animation import samples as bundled
from ..animation.batch_size import choose_batch
from ..animation.engine import optimize_for_inference
from ..animation.media.reader import VideoClip, read_picture
from ..animation.pipeline import AnimateOptions, Hooks
from ..animation.registry import load_animator
from ..core.device import pick_device
from ..core.errors import MediaError
from ..core.weights.catalog import BUNDLED
from .run import animate_file, read_engine
from .weights import weight_file


def demo(args: argparse.Namespace) -> None:
    """Animate each bundled picture by the bundled video into `args.output`: an mp4 and a contact sheet each."""
    folder: Path = args.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"The folder {folder} cannot be made ({error}). Name another with --output.") from error
    device = pick_device("auto")
    loaded = load_animator(weight_file("fomm", BUNDLED, allow_download=False), "fomm")
    model = optimize_for_inference(loaded, device, read_engine(args)).to(device)
    options, hooks = choose_batch(AnimateOptions(), Hooks(), model, device)
    clip = VideoClip(bundled.DRIVING)
    for name, picture in bundled.sample_pictures().items():
        output = folder / f"{name}.mp4"
        sheet = output.with_suffix(".png")
        animate_file(model, read_picture(picture), clip, device, options, hooks, output, sheet)
