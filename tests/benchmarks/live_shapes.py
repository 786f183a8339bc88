"""Processor time that the server of the live page takes for a frame, of a square and of whole pictures.

python tests/benchmarks/live_shapes.py [--frames 40]

One thread draws the bundled model, which works at 128 pixels, in turns for all rows. The picture is a sample with the
noise of a camera on it, so that JPEG has as much to do as with a photograph. Figures are medians.
"""

from __future__ import annotations

import argparse
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

import torch

ROOT = Path(__file__).resolve().parent.parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.faces.detectors import NoFinder
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.square import DEFAULT_RATIO, resized
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.live.frames import Frame
from first_order_motion.live.pictures import LivePicture, Pictures
from first_order_motion.live.session import LiveSession

P = ParamSpec("P")
T = TypeVar("T")

WARM = 3  # frames
NOISE = 4.0  # grey levels


def photograph(height: int, width: int, faces: int) -> LivePicture:
    """Make a picture with faces side by side that have a third of its height together."""
    sample = read_picture(sample_pictures()["portrait"])[..., :3].movedim(-1, 1).float()
    noise = NOISE * torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    pixels = (resized(sample, (height, width)) + noise).round().clamp(0, 255).byte().movedim(1, -1)
    side = height / 3 / faces
    places = [(width * (number + 1) / (faces + 1), height / 2) for number in range(faces)]
    boxes = [Face(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in places]
    return Pictures(NoFinder(), DEFAULT_RATIO).add(pixels, "photograph", boxes)


def timed(times: list[float], work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Do work, and note the milliseconds of processor time that it took."""
    began = time.process_time()
    result = work(*args, **named)
    times.append(1000 * (time.process_time() - began))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=40)
    args = parser.parse_args()
    torch.set_num_threads(1)
    predictor, plain = Predictor.load(device="cpu"), AnimateOptions(antialias=True)
    portrait, large, two = photograph(960, 720, 1), photograph(1280, 960, 1), photograph(960, 720, 2)
    rows = {
        "a square of it": (portrait, "square", plain),
        "720 x 960": (portrait, "whole", plain),
        "960 x 1280": (large, "whole", plain),
        "720 x 960, two faces": (two, "whole", plain),
        "720 x 960, --detail": (portrait, "whole", AnimateOptions(antialias=True, detail=1.0)),
    }
    sessions = {
        name: LiveSession(predictor, picture.view(picture.part(shown, "all")), options=options)
        for name, (picture, shown, options) in rows.items()
    }
    drawing, encoding = ({name: list[float]() for name in rows} for _ in range(2))
    sizes = dict.fromkeys(rows, 0)
    for number, chunk in zip(range(WARM + args.frames), VideoClip(DRIVING).chunks(1), strict=False):
        for name, session in sessions.items():
            picture = timed(drawing[name], session.draw, chunk[0].numpy(), number / 25)
            answer = timed(encoding[name], Frame(number, 0.0, b"").answer, picture)
            sizes[name] = len(answer)
    print("| Shown | draw, ms | JPEG, ms | JPEG, kB |\n|---|---|---|---|")
    for name in rows:
        spent = (f"{median(times[name][WARM:]):.1f}" for times in (drawing, encoding))
        print(f"| {name} | {' | '.join(spent)} | {sizes[name] / 1000:.0f} |")


if __name__ == "__main__":
    main()
