"""Contact sheet: one picture that shows an animation at a glance in rows of evenly spread frames, with labels."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...core.atomic_file import atomic_write
from ...core.errors import InputError, MediaError
from ...core.types import Clip
from ..frames import without_alpha
from .picture import eight_bit_pictures

_MARGIN = 4  # pixels between cells
_HEADER = 16  # of the row of frame numbers
_GREY = 40
_WHITE = (255, 255, 255)


class SheetSampler:
    """Sampler that picks evenly spread results out of batches as they come, and saves them as a contact sheet.

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
        self._kept: list[tuple[int, Tensor]] = []  # frame number, result (3, h, w)

    @property
    def shown(self) -> list[int]:
        """Numbers of the frames kept so far, from 0."""
        return [number for number, _ in self._kept]

    def add(self, result: Tensor) -> None:
        """Take the next results (B, 3, H, W), float in [0, 1] or uint8, and keep those that are shown."""
        for picture in torch.split(result, 1):
            if self._seen in self._wanted:
                self._kept.append((self._seen, self._fit(picture)))
            self._seen += 1

    def save(self, source: Tensor, driving: Clip, path: str | Path) -> None:
        """Write the sheet as PNG; see `draw`. MediaError before any frame came, or from the disk."""
        with sheet_refusals(path), atomic_write(Path(path)) as part:
            self.draw(source, driving).save(part, format="PNG")

    def draw(self, source: Tensor, driving: Clip) -> Image.Image:
        """Draw the sheet. `source` is (1, H, W, 3 or 4), uint8 or float in [0, 1]; of `driving` only the frames shown
        are read. MediaError before any frame came.
        """
        if not self._kept:
            raise MediaError("The sheet would show 0 frames; at least 1 is needed. Add frames before saving.")
        frames = [self._upright(driving.frame(number)) for number in self.shown]
        return self._sheet(self._rows(self._upright(source), frames))

    def _upright(self, picture: Tensor) -> Tensor:
        """Scale a picture (1, H, W, 1 to 4) like the results, its transparent parts white."""
        colours = without_alpha(picture[:1]).movedim(-1, 1)
        return self._fit(colours.expand(-1, 3, -1, -1))

    def _fit(self, picture: Tensor) -> Tensor:
        """Scale a picture (1, 3, H, W) so that its longer side is `cell`: uint8 (3, h, w)."""
        pixels = torch.as_tensor(eight_bit_pictures(picture)[0]).movedim(-1, 0)
        scale = self._cell / max(pixels.shape[1:])
        return _resized(pixels, *(max(1, round(side * scale)) for side in pixels.shape[1:]))

    def _difference(self, result: Tensor, source: Tensor) -> Tensor:
        before = _resized(source, result.shape[1], result.shape[2])
        return ((result.float() - before.float()).abs() * self._gain).clamp(0, 255).byte()

    def _rows(self, source: Tensor, driving: list[Tensor]) -> dict[str, list[Tensor]]:
        """Collect the pictures of each row by its label, one per column."""
        results = [result for _, result in self._kept]
        return {
            "source": [source] * len(results),
            "driving": driving,
            "result": results,
            f"|result - source|\nx {self._gain:g}": [self._difference(result, source) for result in results],
        }

    def _sheet(self, rows: dict[str, list[Tensor]]) -> Image.Image:
        """Draw the rows one below the other, their labels to the left and the frames' numbers above."""
        left = _label_width(list(rows))
        grids = [self._grid(row) for row in rows.values()]
        sheet = F.pad(torch.cat(grids, dim=1), (left, 0, _HEADER, 0), value=_GREY)
        image = Image.fromarray(sheet.movedim(0, -1).contiguous().numpy())
        draw, font, top = ImageDraw.Draw(image), ImageFont.load_default(), _HEADER
        for column, number in enumerate(self.shown):
            draw.text((left + (self._cell + _MARGIN) * column, 2), f"frame {number}", fill=_WHITE, font=font)
        for label, grid in zip(rows, grids, strict=True):
            draw.multiline_text((_MARGIN, top), label, fill=_WHITE, font=font)
            top += grid.shape[1]
        return image

    def _grid(self, row: list[Tensor]) -> Tensor:
        """Place pictures side by side, each in a cell as wide as those of other rows: (3, h, w)."""
        height, width = max(picture.shape[1] for picture in row) + _MARGIN, self._cell + _MARGIN
        cells = [F.pad(cell, (0, width - cell.shape[2], 0, height - cell.shape[1]), value=_GREY) for cell in row]
        return torch.cat(cells, dim=2)


@contextmanager
def sheet_refusals(path: str | Path) -> Generator[None, None, None]:
    """Raise what the disk refuses as MediaError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise MediaError(f"{path} cannot be written ({reason}). Check free space and rights.") from error


def _resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Resize a picture, uint8 (3, H, W)."""
    return F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]


def _label_width(labels: list[str]) -> int:
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), label, font=ImageFont.load_default()) for label in labels]
    return int(max(box[2] for box in boxes)) + 2 * _MARGIN
