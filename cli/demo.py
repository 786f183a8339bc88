"""Command `demo`: shows the pack at work on the bundled model and samples, with nothing to download."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..animation.media.reader import VideoClip, read_picture
from ..animation.predictor import Predictor
from ..animation.samples import DRIVING, sample_pictures
from ..core.errors import MediaError
from .run import animate_and_report, read_engine


def demo(args: argparse.Namespace) -> None:
    """Animate each bundled picture by the bundled video into `args.output`: an mp4 and a contact sheet each."""
    folder: Path = args.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"The folder {folder} cannot be made ({error}). Name another with --output.") from error
    predictor = Predictor.load(engine=read_engine(args))
    for name, picture in sample_pictures().items():
        output = folder / f"{name}.mp4"
        animate_and_report(predictor, read_picture(picture), VideoClip(DRIVING), output, output.with_suffix(".png"))
