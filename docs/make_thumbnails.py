"""Makes the thumbnails of those templates whose weights are not bundled: `python docs/make_thumbnails.py`.

As no result can be shown, each shows how its model describes movement (`docs/make_model_pictures.py` draws that), above
the samples that the template begins on, and says so.
"""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

ROOT: Final = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.media.reader import VideoClip  # noqa: E402 (needs the pack)
from first_order_motion.animation.samples import DRIVING, SAMPLES  # noqa: E402

WORKFLOWS: Final = ROOT / "workflows"
SIZE: Final = (520, 480)
EDGE: Final = 10
TOP: Final = 72  # of what is below the captions
INPUT: Final = 128  # side of a sample
PAPER: Final = (30, 30, 30)
INK: Final = (240, 240, 240)

SAID: Final = "needs weights; drawn: how it sees movement"

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


def thumbnail(caption: str, drawing: Image.Image, inputs: Sequence[Image.Image]) -> Image.Image:
    """Lay caption, drawing and inputs under each other."""
    whole = Image.new("RGB", SIZE, PAPER)
    pen, width = ImageDraw.Draw(whole), SIZE[0] - 2 * EDGE
    pen.text((EDGE, 4), caption, INK, ImageFont.load_default(34))
    pen.text((EDGE, 46), SAID, INK, ImageFont.load_default(22))
    height, bottom = round(drawing.height * width / drawing.width), SIZE[1] - INPUT - EDGE
    shown = drawing.resize((width, height), Image.Resampling.LANCZOS)
    whole.paste(shown, (EDGE, (TOP + bottom - height) // 2))
    for number, picture in enumerate(inputs):
        whole.paste(picture.resize((INPUT, INPUT), Image.Resampling.LANCZOS), (EDGE + number * (INPUT + EDGE), bottom))
    return whole


def main() -> None:
    """Make all of them."""
    frame = Image.fromarray(VideoClip(DRIVING).frame(0)[0].numpy())
    for number, (caption, drawing, samples) in TEMPLATES.items():
        [template] = WORKFLOWS.glob(f"{number} *.json")
        pictures = [Image.open(SAMPLES / sample).convert("RGB") for sample in samples]
        drawn = Image.open(ROOT / "docs" / "models" / f"{drawing}.png").convert("RGB")
        made = thumbnail(caption, drawn, [*pictures, frame])
        made.save(template.with_suffix(".jpg"), quality=74, optimize=True)


if __name__ == "__main__":
    main()
