"""Formats of still pictures that are read, and the names of some that are not."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

# What Pillow reads by code of its own or of its picture libraries. Not listed are formats for which it starts other
# programs (PostScript) or that are drawings, scientific data or icons of single systems.
_FORMATS: Final = (
    "PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "TGA", "JPEG2000", "AVIF", "ICO", "ICNS", "PCX",
    "DCX", "SGI", "DDS", "QOI", "PSD", "XBM", "XPM", "SUN", "BLP", "CUR",
)  # fmt: skip
_SIGNED: Final = tuple(name for name in _FORMATS if name != "TGA")  # files of these are known by their first bytes
_HEIF: Final = "HEIF"
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_HEADS: Final = (
    (b"%!", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript"), (b"%PDF", "PDF"), (b"<svg", "SVG"), (b"<?xml", "XML"),
    (b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"8BPS\0\x02", "PSB"), (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"), (b"FUJIFILMCCD", "camera raw"),
)  # fmt: skip
_CAN_READ_HEIF: Final = "install pillow-heif to have it read, or save the picture as jpg or png"
_SAVE_ANEW: Final = "save it as png or jpg"


@contextmanager
def opened_picture(path: Path, *, signed: bool = False) -> Generator[Image.Image]:
    """Open a picture of one of the formats that are read; with `signed`, of those known by their first bytes."""
    names = (*(_SIGNED if signed else _FORMATS), *([_HEIF] if _adds_heif() else []))
    formats = [name for name in names if _knows_format(name)]
    image = Image.open(path, formats=formats)
    with closing(image):
        yield image


def unread_format(path: Path) -> tuple[str, str] | None:
    """Name the format of a file that is no picture of those read, and say what to do; None for an unknown one."""
    with path.open("rb") as file:
        head = file.read(32).lstrip()
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC", _CAN_READ_HEIF
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis") and not _knows_format("AVIF"):
        return "AVIF, which this Pillow does not read", _SAVE_ANEW
    return next(((name, _SAVE_ANEW) for start, name in _HEADS if head.startswith(start)), None)


@cache
def _adds_heif() -> bool:
    """Add HEIC to the formats that Pillow reads, where pillow-heif is installed."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except (ImportError, OSError):  # the latter: its library does not load
        return False
    return _knows_format(_HEIF)


def _knows_format(name: str) -> bool:
    Image.init()
    return name in Image.OPEN
