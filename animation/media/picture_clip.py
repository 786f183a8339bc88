"""Clips of pictures: numbered files, the files of a folder, or one picture alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from torch import Tensor

from ...core.errors import MediaError, join_names
from ..frames import without_alpha
from .clip import TimedClip, check_index, in_chunks
from .frame_rate import FALLBACK_RATE
from .frame_times import FrameTimes
from .picture import check_pixels, picture_errors, read_picture
from .picture_formats import opened_picture

_log = logging.getLogger(__name__)
_SUFFIXES: Final = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".tga", ".ppm", ".pgm", ".pnm", ".jp2",
    ".avif", ".heic", ".heif", ".qoi", ".gif",
)  # fmt: skip
NUMBER: Final = re.compile(r"%(?:0?(\d{1,2}))?d")


class PictureClip(TimedClip):
    """Pictures of one size as a `Clip`: uint8 RGB in [0, 255], one file read at a time, transparent parts white.

    `path` is what was asked for. Where `numbers` are given, those that are missing leave a gap in the times.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        rate: float | Fraction | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self.path, self._files = path, tuple(files)
        even = FrameTimes.even(FALLBACK_RATE if rate is None else rate, len(self._files))
        starts = range(len(files)) if numbers is None else [number - numbers[0] for number in numbers]
        self.times = FrameTimes(even.rate, starts, even.tick, 1)
        first = self.frame(0)
        self._size = first.shape[2], first.shape[1]  # width, height
        self._check_sizes()

    def frame(self, index: int) -> Tensor:
        """Read frame `index` as (1, H, W, 3); InputError outside [0, len), MediaError for a damaged file."""
        check_index(index, len(self), self.path)
        return without_alpha(read_picture(self._files[index]))

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order as (B, H, W, 3), `size` at a time or fewer large ones; the last may be shorter."""
        return in_chunks(self._pictures(), size, self._size[0] * self._size[1])

    def _pictures(self) -> Iterator[Tensor]:
        for index, file in enumerate(self._files):
            picture = self.frame(index)[0]
            self._check_size(file, (picture.shape[1], picture.shape[0]))
            yield picture

    def _check_sizes(self) -> None:
        """Look at every file's head, so that a long run does not end at a picture of another size."""
        turned = self._size[::-1]
        for file in self._files[1:]:
            with picture_errors(file), opened_picture(file) as image:
                check_pixels(file, image.size)
                if image.size != turned:  # a quarter turn may stand in its metadata: that is seen when it is read
                    self._check_size(file, image.size)

    def _check_size(self, file: Path, size: tuple[int, int]) -> None:
        if size != self._size:
            raise MediaError(
                f"{file} is {size[0]} x {size[1]}; {self._size[0]} x {self._size[1]}, as {self._files[0].name} has, "
                "was wanted. Give the frames one size."
            )


def folder_clip(folder: Path, rate: float | Fraction | None) -> PictureClip:
    """Open the pictures in a folder as a clip, in the order of the numbers in their names; MediaError without any."""
    return PictureClip(folder, pictures_in(folder), rate)


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures in a folder in the order of the numbers in their names; MediaError without any."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")]
    files = sorted((file for file in files if file.is_file()), key=lambda file: _natural(file.name))
    if not files:
        raise MediaError(f"{folder} is a folder with 0 pictures (png, jpg, ...); 1 or more was wanted. Check the path.")
    return files


def pattern_clip(pattern: Path, rate: float | Fraction | None) -> PictureClip:
    """Open numbered pictures as a clip, from the lowest number that is there; missing ones are named and leave a gap.

    `pattern` has the number's place in its name, as `frame_%03d.png` does.
    """
    place = NUMBER.search(pattern.name)
    assert place is not None  # else it is no pattern
    before, after = pattern.name[: place.start()].replace("%%", "%"), pattern.name[place.end() :].replace("%%", "%")
    digits = int(place[1] or 1)
    name = re.compile(re.escape(before) + rf"(\d{{{digits},}})" + re.escape(after))
    matches = [(name.fullmatch(file.name), file) for file in _files(pattern.parent)]
    found = {int(match[1]): file for match, file in matches if match and _is_padded(match[1], digits)}
    if not found:
        raise MediaError(f"{pattern} names no file that is there; pictures were wanted. Check the folder and the name.")
    numbers = sorted(found)
    missing = sorted(set(range(numbers[0], numbers[-1])) - found.keys()) if numbers[-1] - numbers[0] < 10**6 else []
    if missing:
        names = join_names([f"{before}{number:0{digits}d}{after}" for number in missing])
        text = "%d pictures of %s are missing, and the ones before them stay longer: %s"
        _log.warning(text, len(missing), pattern, names)
    return PictureClip(pattern, [found[number] for number in numbers], rate, numbers)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []


def _is_padded(number: str, digits: int) -> bool:
    """Tell whether a number is written as a pattern would write it."""
    return len(number) == digits or not number.startswith("0")


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Key by which numbers in names sort as numbers: 2 before 10."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.lower())]
