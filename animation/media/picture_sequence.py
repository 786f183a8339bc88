"""Writer of every frame as a numbered PNG file."""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.atomic_file import new_part, place
from ...core.errors import InputError
from ...core.output_path import check_output, resolve_output
from ...core.signals import undisturbed
from ...core.unfinished import HiddenFolder, keep
from .frame_times import FrameTimes
from .frame_writer import FrameWriter

_log = logging.getLogger(__name__)
_ONE_NUMBER = re.compile(r"[^%]*%(0[1-9])?d[^%]*")
_COMPRESSION = 3  # of zlib: three times as fast as its default, and a tenth larger


class PictureSequence(FrameWriter):
    """Writer of PNG files numbered from 1, in flat memory: `result.png` becomes `result_00001.png` and so on.

    A pattern in the name, as in `%05d.png`, says where the number stands. The files are written into a hidden folder
    beside their places and moved there when all are whole and every place can be taken. Older files with higher numbers
    are left alone, which is logged. Times are not stored.
    """

    def __init__(self, path: str | Path, times: float | Fraction | FrameTimes = 25) -> None:
        super().__init__(path, times)
        self._pattern = numbered_name(self.path)
        check_output(self._place(1))
        self._folder: HiddenFolder | None = None

    def _begin(self) -> None:
        self._folder = HiddenFolder(self.path)

    def _add(self, picture: NDArray[np.uint8]) -> None:
        assert self._folder is not None  # it is there as long as frames are taken
        part = new_part(self._folder, str(self.written + 1))
        Image.fromarray(picture).save(part, format="PNG", compress_level=_COMPRESSION)

    def _finish(self) -> None:
        assert self._folder is not None  # frames were written
        numbers = range(1, self.written + 1)
        for number in numbers:
            resolve_output(self._place(number))  # refuses a place that is taken before any other is
        with undisturbed():
            for number in numbers:
                place(self._folder.path / str(number), self._place(number))
            keep(self._place(1))
        after = self._place(self.written + 1)
        if after.exists():
            _log.warning("older pictures from %s on are left alone; they do not belong to this sequence", after)

    def _discard(self) -> None:
        if self._folder is not None:
            self._folder.remove()
        self._folder = None

    def _place(self, number: int) -> Path:
        return self.path.with_name(self._pattern % number)


def numbered_name(path: Path) -> str:
    """Return the pattern of the names of numbered pictures; InputError where `path` has a % that begins no number."""
    pattern = path.name if "%" in path.name else f"{path.stem}_%05d{path.suffix}"
    if not _ONE_NUMBER.fullmatch(pattern):
        raise InputError(f"{path} has a % that begins no number; one like %05d was wanted. Rename the output.")
    return pattern
