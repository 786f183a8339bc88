"""Logs of a run: a table of losses in its folder, and TensorBoard's files where that is installed."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from ..core.atomic_file import atomic_write
from ..core.unfinished import keep, make_folder

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

logger = logging.getLogger(__name__)

LOG, SHEET, BOARD = "log.csv", "sheet.png", "tensorboard"
"""Names of the table, the newest contact sheet and TensorBoard's folder in the folder of a run."""

STEP, MINUTES = "step", "minutes"
DIGITS: Final = 6  # of a number in the table


class Meter:
    """Means of losses over some steps, summed up on their device, which nothing has to wait for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    @torch.no_grad()
    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add the losses of a step."""
        for name, value in losses.items():
            value = value.detach().float()
            self._sums[name] = value if name not in self._sums else self._sums[name] + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, Tensor]:
        """Return the means, scalars."""
        return {name: value / self._counts[name] for name, value in self._sums.items()}


class RunLog:
    """Table of a run: a row of means every few steps. Raises OSError where the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._path, self._board_folder = folder / LOG, folder / BOARD
        self._columns = [STEP, MINUTES]
        self._rows: list[dict[str, str]] = []
        self._whole = False  # whether the file holds these rows and columns, and can be added to
        self._board: SummaryWriter | None = None

    def begin(self, step: int) -> None:
        """Go on from a step: rows of later ones, which a run that was cut off has left, are taken out."""
        if self._path.exists():
            lines = self._path.read_text("utf-8").splitlines(keepends=True)
            whole = csv.DictReader(line for line in lines if line.endswith("\n"))  # the last may have been cut off
            self._rows = [row for row in whole if _number(row.get(STEP)) <= step]
        self._columns = [*dict.fromkeys(name for row in self._rows for name in row)] or self._columns
        self._board = open_board(self._board_folder, step)

    def close(self) -> None:
        """Close TensorBoard's files."""
        if self._board is not None:
            self._board.close()

    def add(self, step: int, seconds: float, means: Mapping[str, float]) -> None:
        """Append a row; a loss that was not there before makes a new column."""
        numbers = {name: f"{value:.{DIGITS}g}" for name, value in means.items()}
        row = {STEP: str(step), MINUTES: f"{seconds / 60:.2f}", **numbers}
        if new := [name for name in row if name not in self._columns]:
            self._columns += new
            self._whole = False
        self._rows.append(row)
        self._write(row)
        if self._board is not None:
            for name, value in means.items():
                self._board.add_scalar(name, value, step)  # pyright: ignore[reportUnknownMemberType]

    def picture(self, step: int, sheet: Tensor) -> None:
        """Give TensorBoard a contact sheet (3, H, W) in [0, 1]."""
        if self._board is not None:
            self._board.add_image("sheet", sheet.clamp(0, 1), step)  # pyright: ignore[reportUnknownMemberType]

    def _write(self, row: Mapping[str, str]) -> None:
        make_folder(self._path.parent)
        if self._whole:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                file.write(self._text([row]))
        else:
            with atomic_write(self._path) as part:
                header = dict(zip(self._columns, self._columns, strict=True))
                part.write_text(self._text([header, *self._rows]), "utf-8", newline="")
            self._whole = True
        keep(self._path)

    def _text(self, rows: Sequence[Mapping[str, str]]) -> str:
        buffer = StringIO()
        csv.DictWriter(buffer, self._columns, restval="", lineterminator="\n").writerows(rows)
        return buffer.getvalue()


def open_board(folder: Path, step: int) -> SummaryWriter | None:
    """Open TensorBoard's files in a folder, to go on from a step; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        logger.info("TensorBoard is not installed: %s and %s say how it goes.", LOG, SHEET)
        return None
    make_folder(folder)
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def _number(text: str | None) -> float:
    """Read the step of a row; what is no number counts as late."""
    return int(text) if text and text.isdecimal() else float("inf")
