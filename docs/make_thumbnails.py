"""Makes thumbnails of templates: `python docs/make_thumbnails.py`, a minute.

Those of groups and of a moving source show what they begin on, and what the bundled model makes of it. Where weights
are not bundled no result can be shown: these show how the model describes movement (`docs/make_model_pictures.py` draws
that) above the samples that the template begins on, and say so.
"""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image, ImageDraw, ImageFont

ROOT: Final = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.media.reader import VideoClip  # noqa: E402 (needs the pack)
from first_order_motion.animation.samples import DRIVING, SAMPLES  # noqa: E402
from first_order_motion.cli.main import main as animate  # noqa: E402

WORKFLOWS: Final = ROOT / "workflows"
SIZE: Final = (520, 480)
EDGE: Final = 10
TOP: Final = 72  # of what is below the captions
INPUT: Final = 128  # side of a sample
PAPER: Final = (30, 30, 30)
INK: Final = (240, 240, 240)

SAID: Final = "needs weights; drawn: how it sees movement"
MADE_SAID: Final = "source and driving, and the result under them"

FACE: Final = "face.png"
TURNED: Final = "more/face_turned.png"
TEMPLATES: Final[dict[str, tuple[str, str, Sequence[str]]]] = {
    "11": ("First Order Motion Model", "fomm", [FACE]),
    "12": ("FOMM, VideoHelperSuite", "fomm", [FACE]),
    "13": ("Thin-Plate Spline", "spline", [FACE]),
    "14": ("Articulated Animation", "articulate", [FACE]),
    "15": ("MRFA", "mrfa", [FACE]),
    "16": ("FSRT", "fsrt", [FACE]),
    "17": ("FSRT, two pictures", "fsrt", [FACE, TURNED]),
    "18": ("Part Swap", "partswap", [FACE]),
}
"""Caption, drawing and sample pictures by the numbers of the templates."""


DUET: Final = "duet.mp4"
GROUP: Final = "group.png"
FRAME: Final = 48  # of the videos, shown where there is a result
MADE: Final[dict[str, tuple[str, str, str, Sequence[str]]]] = {
    "03": ("Three faces, one video", GROUP, DRIVING.name, ["--boxes", "group.json"]),
    "04": ("A driver for each face", GROUP, DUET, ["--boxes", "group.json", "--driving-boxes", "duet.json"]),
    "06": ("A video as the source", DUET, DRIVING.name, ["--boxes", "duet.json"]),
}
"""Caption, source, driving video and options by the numbers of the templates."""


def titled(caption: str, said: str) -> Image.Image:
    """Begin a thumbnail: a caption, and what is said under it."""
    whole = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(whole)
    pen.text((EDGE, 4), caption, INK, ImageFont.load_default(34))
    pen.text((EDGE, 46), said, INK, ImageFont.load_default(22))
    return whole


def scaled(picture: Image.Image, height: int) -> Image.Image:
    """Scale a picture to a height."""
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)


def thumbnail(caption: str, drawing: Image.Image, inputs: Sequence[Image.Image]) -> Image.Image:
    """Lay caption, drawing and inputs under each other."""
    whole, width = titled(caption, SAID), SIZE[0] - 2 * EDGE
    height, bottom = round(drawing.height * width / drawing.width), SIZE[1] - INPUT - EDGE
    shown = drawing.resize((width, height), Image.Resampling.LANCZOS)
    whole.paste(shown, (EDGE, (TOP + bottom - height) // 2))
    for number, picture in enumerate(inputs):
        whole.paste(scaled(picture, INPUT), (EDGE + number * (INPUT + EDGE), bottom))
    return whole


def made_thumbnail(caption: str, source: Image.Image, driving: Image.Image, result: Image.Image) -> Image.Image:
    """Lay source and driving beside each other, and the result under them as large as it fits."""
    whole, width = titled(caption, MADE_SAID), SIZE[0] - 2 * EDGE
    height = round((width - EDGE) / (source.width / source.height + driving.width / driving.height))
    source, driving = scaled(source, height), scaled(driving, height)
    whole.paste(source, (EDGE, TOP + EDGE))
    whole.paste(driving, (SIZE[0] - EDGE - driving.width, TOP + EDGE))
    top = TOP + height + 2 * EDGE
    result = scaled(result, min(SIZE[1] - EDGE - top, round(result.height * width / result.width)))
    whole.paste(result, ((SIZE[0] - result.width) // 2, top))
    return whole


def still(path: Path, index: int = FRAME) -> Image.Image:
    """Read a picture, or a frame of a video."""
    if path.suffix == ".png":
        return Image.open(path).convert("RGB")
    return Image.fromarray(VideoClip(path).frame(index)[0].numpy())


def save(made: Image.Image, number: str) -> None:
    """Write a thumbnail beside its template."""
    [template] = WORKFLOWS.glob(f"{number} *.json")
    made.save(template.with_suffix(".jpg"), quality=74, optimize=True)


def make_results() -> None:
    """Make the thumbnails that show a result."""
    with TemporaryDirectory() as name:
        for number, (caption, source, driving, options) in MADE.items():
            target = Path(name) / f"{number}.mp4"
            files = [str(SAMPLES / word) if word.endswith(".json") else word for word in options]
            words = [
                "run",
                str(SAMPLES / source),
                str(SAMPLES / driving),
                str(target),
                "--model",
                "drawn-faces",
                *files,
            ]
            if animate(words):
                raise SystemExit(f"template {number} failed.")
            pictures = still(SAMPLES / source), still(SAMPLES / driving), still(target)
            save(made_thumbnail(caption, *pictures), number)


def main() -> None:
    """Make all of them."""
    frame = still(DRIVING, 0)
    for number, (caption, drawing, samples) in TEMPLATES.items():
        pictures = [still(SAMPLES / sample) for sample in samples]
        drawn = still(ROOT / "docs" / "models" / f"{drawing}.png")
        save(thumbnail(caption, drawn, [*pictures, frame]), number)
    make_results()


if __name__ == "__main__":
    main()
