"""Writer of every frame as a numbered PNG file."""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from ...core.errors import InputError, MediaError
from .frame_times import FrameTimes
from .frame_writer import FrameWriter

_log = logging.getLogger(__name__)
_ONE_NUMBER = re.compile(r"[^%]*%(0[1-9])?d[^%]*")
_COMPRESSION = 3  # of zlib: three times as fast as its default, and a tenth larger


class PictureSequence(FrameWriter):
    """Writer of PNG files numbered from 1, in flat memory: `result.png` becomes `result_00001.png` and so on.

    A pattern in the name, as in `%05d.png`, says where the number stands. The files are written into a hidden folder
    beside their places and moved there when all are whole; where moving fails half way, those moved stay. Older files
    with higher numbers are left alone, which is logged. Times are not stored.
    """

    def __init__(self, path: str | Path, times: float | Fraction | FrameTimes = 25) -> None:
        super().__init__(path, times)
        if not self.path.parent.is_dir():
            raise MediaError(f"{path} cannot be written: there is no folder {self.path.parent}. Create it first.")
        self._pattern = numbered_name(self.path)
        if not _ONE_NUMBER.fullmatch(self._pattern):
            raise InputError(f"{path} has a % that begins no number; one like %05d was wanted. Rename the output.")
        self._folder: TemporaryDirectory[str] | None = None

    def _begin(self) -> None:
        self._folder = TemporaryDirectory(prefix=f".{self.path.stem[:48]}.", suffix=".part", dir=self.path.parent)

    def _add(self, picture: NDArray[np.uint8]) -> None:
        assert self._folder is not None  # it is there as long as frames are taken
        part = Path(self._folder.name, self._name(self.written + 1))
        iio.imwrite(  # pyright: ignore[reportUnknownMemberType] (its keywords have no types)
            part, picture, extension=".png", plugin="pillow", compress_level=_COMPRESSION
        )

    def _finish(self) -> None:
        assert self._folder is not None  # frames were written
        for number in range(1, self.written + 1):
            name = self._name(number)
            Path(self._folder.name, name).replace(self.path.with_name(name))
        after = self.path.with_name(self._name(self.written + 1))
        if after.exists():
            _log.warning("older pictures from %s on are left alone; they do not belong to this sequence", after)

    def _discard(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = None

    def _name(self, number: int) -> str:
        return self._pattern % number


def numbered_name(path: Path) -> str:
    """Pattern of the names under which a sequence is written."""
    return path.name if "%" in path.name else f"{path.stem}_%05d{path.suffix}"
