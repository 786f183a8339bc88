"""Makes the pictures and clips of `docs/gallery` anew: `python docs/make_gallery.py`, a few minutes.

Runs the commands of `docs/gallery.md` as they stand there, with the bundled model and samples.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
from PIL import Image
from torch import Tensor

ROOT: Final = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.media.reader import VideoClip  # noqa: E402 (needs the pack)
from first_order_motion.animation.predictor import Predictor  # noqa: E402
from first_order_motion.animation.samples import DRIVING, SAMPLES  # noqa: E402
from first_order_motion.cli.main import main as animate  # noqa: E402
from first_order_motion.training.drawn.draw import draw  # noqa: E402
from first_order_motion.training.drawn.identity import Identity  # noqa: E402
from first_order_motion.training.drawn.pose import RANGES, Pose  # noqa: E402

GALLERY: Final = ROOT / "docs" / "gallery"
COMMAND: Final = re.compile(r"^python animate\.py (run (?:.*\\\n)*.*)$", re.MULTILINE)
EVERY: Final = 3  # of the 24 frames of a second, one is shown
GAP: Final = 4
PAPER: Final = (255, 255, 255)
SEED: Final = 12  # of the identities that are drawn
SHOWN: Final = (9, 27, 48, 75)  # frames of the contact sheet

Film = list[Image.Image]


def commands() -> list[list[str]]:
    """Read the commands of the gallery's page."""
    page = (ROOT / "docs" / "gallery.md").read_text("utf-8")
    return [shlex.split(found.replace("\\\n", " ")) for found in COMMAND.findall(page)]


def run_all(folder: Path) -> None:
    """Run every command of the page in a folder that has the samples where a clone has them."""
    (folder / "workflows").symlink_to(ROOT / "workflows")
    here = Path.cwd()
    os.chdir(folder)
    try:
        for words in commands():
            if animate(words):
                raise SystemExit(f"animate.py {shlex.join(words)} failed.")
    finally:
        os.chdir(here)


def to_images(pictures: Tensor) -> Film:
    """Convert pictures (N, H, W, 3), in [0, 1] or of bytes, to images."""
    if pictures.is_floating_point():
        pictures = (pictures * 255).round().to(torch.uint8)
    return [Image.fromarray(picture.numpy()) for picture in pictures]


def film(path: Path) -> Film:
    """Read those frames of a video that are shown."""
    clip = VideoClip(path)
    return [image for index, chunk in enumerate(clip.chunks(1)) if index % EVERY == 0 for image in to_images(chunk)]


def still(path: Path, count: int) -> Film:
    """Show a picture for so many frames."""
    return [Image.open(path).convert("RGB")] * count


def beside(*films: Film, height: int) -> Film:
    """Lay films side by side, each as high."""
    rows = [[scaled(image, height) for image in images] for images in zip(*films, strict=True)]
    return [joined(row, down=False) for row in rows]


def above(*films: Film) -> Film:
    """Lay films of one width on top of each other."""
    return [joined(column, down=True) for column in zip(*films, strict=True)]


def scaled(image: Image.Image, height: int) -> Image.Image:
    """Scale an image to a height."""
    width = round(image.width * height / image.height)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def joined(images: Sequence[Image.Image], *, down: bool) -> Image.Image:
    """Join images in a row or a column, with gaps between them."""
    gaps = GAP * (len(images) - 1)
    widths, heights = [image.width for image in images], [image.height for image in images]
    size = (max(widths), sum(heights) + gaps) if down else (sum(widths) + gaps, max(heights))
    whole, place = Image.new("RGB", size, PAPER), 0
    for image in images:
        whole.paste(image, (0, place) if down else (place, 0))
        place += GAP + (image.height if down else image.width)
    return whole


def save(images: Film, name: str, quality: int = 45) -> None:
    """Write an animated WebP that plays for ever."""
    duration = round(1000 * EVERY / 24)
    images[0].save(
        GALLERY / f"{name}.webp",
        save_all=True, append_images=images[1:], duration=duration, loop=0, quality=quality, method=6,
    )  # fmt: skip


def unseen(count: int) -> Tensor:
    """Draw identities of a seed of their own, at rest: (count, 3, 128, 128)."""
    dice = torch.Generator().manual_seed(SEED)
    identity = Identity.sample(count, dice)
    no = torch.zeros(count, dtype=torch.bool)
    return draw(identity, Pose.from_unit(torch.full((len(RANGES), count), 0.5), shut=no, wink=no, mute=~no))


def make_wall(predictor: Predictor, driving: Film) -> None:
    """Animate eight drawn identities around the video that drives them all, and lay some frames on a sheet."""
    frames = torch.cat([*VideoClip(DRIVING).chunks(16)])
    sources = unseen(8)
    films = [to_images(predictor.animate_tensors(source[None].movedim(1, -1), frames)) for source in sources]
    cells = [film_[::EVERY] for film_ in films]
    rows = [cells[0:3], [cells[3], driving, cells[4]], cells[5:8]]
    save(above(*(beside(*row, height=128) for row in rows)), "wall")
    pictures = to_images(sources.movedim(1, -1))
    lines = [[to_images(frames)[index] for index in SHOWN]]
    lines += [[shown[index] for index in SHOWN] for shown in films[:4]]
    blank = Image.new("RGB", (128, 128), PAPER)
    sheet = [[first, *line] for first, line in zip([blank, *pictures[:4]], lines, strict=True)]
    joined([joined(line, down=False) for line in sheet], down=True).save(GALLERY / "sheet.png", optimize=True)


def make_films(folder: Path) -> None:
    """Lay the results of the page's commands beside what they were made of."""
    driving, duet = film(DRIVING), film(SAMPLES / "duet.mp4")
    count = len(driving)
    pairs = [(still(SAMPLES / f"{name}.png", count), film(folder / f"{name}.mp4")) for name in ("face", "fox")]
    save(above(*(beside(picture, driving, result, height=160) for picture, result in pairs)), "faces")
    group = still(SAMPLES / "group.png", count)
    save(beside(group, driving, film(folder / "group.mp4"), height=180), "group")
    save(beside(duet, film(folder / "pairs.mp4"), height=180), "pairs")
    save(beside(duet, driving, film(folder / "moving.mp4"), height=128), "moving")
    save(beside(still(SAMPLES / "portrait.png", count), film(folder / "portrait.mp4"), height=320), "portrait")
    save(film(folder / "seen.mp4"), "seen")


def make_comparisons(folder: Path) -> None:
    """Lay frames of the same moment beside each other: with and without detail, and of several strengths."""
    box = (281, 1164, 799, 1682)  # the portrait's face
    moment = SHOWN[2] // EVERY
    crops = [film(folder / f"{name}.mp4")[moment].crop(box) for name in ("portrait", "detailed")]
    joined([scaled(crop, 300) for crop in crops], down=False).save(GALLERY / "detail.png", optimize=True)
    shown = [film(folder / f"{name}.mp4")[SHOWN[0] // EVERY] for name in ("calm", "face", "strong")]
    joined([scaled(image, 160) for image in shown], down=False).save(GALLERY / "strength.png", optimize=True)


def main() -> None:
    """Make all of it."""
    GALLERY.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        run_all(Path(name))
        make_films(Path(name))
        make_comparisons(Path(name))
    make_wall(Predictor.load(device="cpu"), film(DRIVING))


if __name__ == "__main__":
    main()
