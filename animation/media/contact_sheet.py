"""One picture that shows an animation at a glance: rows of evenly spread frames, with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...core.atomic_file import atomic_write
from ...core.errors import InputError, MediaError
from ...core.types import Clip
from .video_track import eight_bit_pictures

_MARGIN = 4  # pixels between cells
_HEADER = 16  # of the row of frame numbers
_GREY = (40, 40, 40)
_WHITE = (255, 255, 255)


class SheetSampler:
    """Picks evenly spread results out of batches as they come, keeps those, and saves them as a contact sheet.

    `total` is the expected number of frames; where fewer come, the columns stay fewer. `columns` is the
    number of frames shown, `cell` the longer side of each in pixels, `gain` what the difference
    |result - source| is multiplied by to be seen.
    """

    def __init__(self, total: int, columns: int = 8, *, cell: int = 160, gain: float = 4.0) -> None:
        if total < 1 or columns < 1 or cell < 16:
            raise InputError(
                f"a contact sheet of {columns} columns of {cell} pixels over {total} frames was asked for; at least "
                "1 column, 16 pixels and 1 frame are needed. Raise what is too small."
            )
        shown = min(columns, total)
        self._wanted = {round(i * (total - 1) / max(1, shown - 1)) for i in range(shown)}
        self._cell, self._gain = cell, gain
        self._seen = 0
        self._kept: list[tuple[int, Image.Image]] = []  # frame number, result

    @property
    def shown(self) -> list[int]:
        """The numbers of the frames kept so far, from 0."""
        return [number for number, _ in self._kept]

    def add(self, result: Tensor) -> None:
        """Identity at the next results (B, 3, H, W), float in [0, 1] or uint8."""
        for picture in torch.split(result, 1):
            if self._seen in self._wanted:
                self._kept.append((self._seen, self._fit(picture)))
            self._seen += 1

    def save(self, source: Tensor, driving: Clip, path: str | Path) -> None:
        """Write the sheet as PNG. `source` is (1, H, W, 3 or 4), uint8 or float in [0, 1]; of `driving` only the
        frames shown are read. MediaError before any frame came, or from the disk.
        """
        if not self._kept:
            raise MediaError(f"{path} would show 0 frames; at least 1 is needed. Add frames before saving.")
        frames = [self._upright(driving.frame(number)) for number in self.shown]
        try:
            with atomic_write(Path(path)) as part:
                self._sheet(self._rows(self._upright(source), frames)).save(part, format="PNG")
        except OSError as error:
            raise MediaError(f"{path} cannot be written ({error}). Check free space and rights.") from error

    def _upright(self, picture: Tensor) -> Image.Image:
        """Picture (1, H, W, 3 or 4), alpha dropped, scaled like the results."""
        return self._fit(picture[:1, ..., :3].movedim(-1, 1))

    def _fit(self, picture: Tensor) -> Image.Image:
        """Picture (1, 3, H, W) scaled so that its longer side is `cell`."""
        image = Image.fromarray(eight_bit_pictures(picture)[0])
        scale = self._cell / max(image.size)
        return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))

    def _difference(self, result: Image.Image, source: Image.Image) -> Image.Image:
        after, before = np.asarray(result, np.float32), np.asarray(source.resize(result.size), np.float32)
        return Image.fromarray((np.abs(after - before) * self._gain).clip(0, 255).astype(np.uint8))

    def _rows(self, source: Image.Image, driving: list[Image.Image]) -> dict[str, list[Image.Image]]:
        """The pictures of each row by its label, one per column."""
        results = [result for _, result in self._kept]
        return {
            "source": [source] * len(results),
            "driving": driving,
            "result": results,
            f"|result - source|\nx {self._gain:g}": [self._difference(result, source) for result in results],
        }

    def _sheet(self, rows: dict[str, list[Image.Image]]) -> Image.Image:
        font = ImageFont.load_default()
        left, step = _label_width(list(rows)), self._cell + _MARGIN
        heights = [max(picture.height for picture in row) + _MARGIN for row in rows.values()]
        sheet = Image.new("RGB", (left + step * len(self._kept), _HEADER + sum(heights)), _GREY)
        draw = ImageDraw.Draw(sheet)
        for column, number in enumerate(self.shown):
            draw.text((left + step * column, 2), f"frame {number}", fill=_WHITE, font=font)
        top = _HEADER
        for (label, row), height in zip(rows.items(), heights, strict=True):
            draw.multiline_text((_MARGIN, top), label, fill=_WHITE, font=font)
            for column, picture in enumerate(row):
                sheet.paste(picture, (left + step * column, top))
            top += height
        return sheet


def _label_width(labels: list[str]) -> int:
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), label, font=ImageFont.load_default()) for label in labels]
    return int(max(box[2] for box in boxes)) + 2 * _MARGIN
