"""Choice of the clip that reads a driving file, folder or pattern."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from PIL import Image

from ...core.errors import InputError, MediaError
from .clip import FileClip
from .picture import picture_errors
from .picture_clip import NUMBER, PictureClip, folder_clip, pattern_clip
from .picture_formats import opened_picture, unread_format
from .reader import VideoClip
from .webp_clip import WebpClip


def open_clip(path: str | Path, rate: float | Fraction | None = None) -> FileClip:
    """Open what is to drive: a video, an animated picture, a still picture, a folder of frames, or numbered frames.

    Numbered frames are given as a pattern, `frame_%03d.png`. Frames in a folder follow the numbers in their names.
    `rate` is for frames in files of their own, in frames per second, 25 by default. Raises MediaError for what cannot
    be read, InputError for a rate given for a file that has its own.

    >>> clip = open_clip("frames/%05d.png", 30)
    """
    path = Path(path)
    if path.is_dir():
        return folder_clip(path, rate)
    if not path.exists() and NUMBER.search(path.name):
        return pattern_clip(path, rate)
    kind = _picture_kind(path) if path.is_file() else None
    if kind == "still":
        return PictureClip(path, [path], rate)
    if rate is not None:
        raise InputError(f"is {float(rate):g}, but {path} has its own times. Leave it out.", "fps")
    return WebpClip(path) if kind == "webp" else VideoClip(path)


def is_clip(path: str | Path) -> bool:
    """Tell whether a source is a video, an animated picture or a set of frames, rather than a still picture."""
    path = Path(path)
    if path.is_dir() or (not path.exists() and NUMBER.search(path.name)):
        return True
    return path.is_file() and _picture_kind(path) != "still"


def _picture_kind(path: Path) -> str | None:
    """Tell a still picture ("still") and an animated WebP ("webp") from what FFmpeg is to read (None)."""
    try:
        with picture_errors(path), opened_picture(path, signed=path.suffix.lower() != ".tga") as image:
            if image.format == "GIF" or (image.format in ("PNG", "AVIF") and getattr(image, "is_animated", False)):
                return None
            return "webp" if image.format == "WEBP" and getattr(image, "is_animated", False) else "still"
    except MediaError as error:
        if isinstance(error.__cause__, Image.UnidentifiedImageError) and unread_format(path) is None:
            return None
        raise
