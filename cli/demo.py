"""Command `demo`: shows the pack at work on the bundled model and samples, with nothing to download."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..animation.faces.face import faces_from_text
from ..animation.framing import FACE, STRETCH, Framing
from ..animation.media.reader import VideoClip, read_picture
from ..animation.predictor import Predictor
from ..animation.samples import DRIVING, sample_boxes, sample_pictures
from ..animation.video import check_results, plan_faces
from ..core.errors import rename_parameters
from ..core.output_path import check_folder
from ..core.unfinished import make_folder
from .models import read_engine
from .run import animate_and_report

SHOWN = ("face", "fox", "group")  # the portrait shows nothing that the group does not


def demo(args: argparse.Namespace) -> None:
    """Animate bundled pictures by the bundled video into `args.output`: an mp4 and a contact sheet each."""
    folder: Path = args.output
    check_folder(folder)
    make_folder(folder)
    pictures = {name: sample_pictures()[name] for name in SHOWN}
    with rename_parameters({"output": "--output", "sheet": "--output"}):
        for name in pictures:
            check_results(*_results(folder, name), {"a bundled sample": [DRIVING, *pictures.values()]})
    predictor = Predictor.load(engine=read_engine(args))
    for name, path in pictures.items():
        still, clip = [read_picture(path)], VideoClip(DRIVING)
        boxes = sample_boxes(path)
        framing = Framing(FACE, boxes=faces_from_text(boxes)) if boxes else Framing(STRETCH)
        plan = plan_faces(framing, still, [clip])
        animate_and_report(predictor, still, clip, *_results(folder, name), plan=plan)


def _results(folder: Path, name: str) -> tuple[Path, Path]:
    """Return where the video and the sheet of a picture go."""
    return folder / f"{name}.mp4", folder / f"{name}.png"
