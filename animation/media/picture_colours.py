"""Colours of still pictures: 8 bits in sRGB, by the profile that a file carries."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageCms

from ...core.errors import MediaError

_log = logging.getLogger(__name__)
_PROFILED: Final = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}  # modes by a profile's colour space, ICC.1 7.2.6


def to_srgb(path: Path, image: Image.Image) -> Image.Image:
    """Convert an image to RGB or RGBA in sRGB; a profile that cannot be used is left out, which is logged."""
    if image.mode == "F":
        raise MediaError(f"{path} holds floating point values; 8 or 16 bit were wanted. Save it as png.")
    profile: bytes | None = image.info.get("icc_profile")
    has_alpha = "transparency" in image.info or any(band in "Aa" for band in image.getbands() if image.mode != "LAB")
    plain = _eight_bit(image)
    alpha = plain.convert("RGBA").getchannel("A") if has_alpha else None
    colours = _converted(path, plain, profile)
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring grey of 16 bits to 8."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        deep = np.array(image, dtype=np.int64).clip(0, 65535)
        return Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    return image


def _converted(path: Path, image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert colours to RGB, without alpha."""
    if image.mode == "LAB":
        return _transformed(image, _built_in("LAB"))
    if profile:
        try:
            known = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _PROFILED.get(profile[16:20])
            if mode is not None and mode in _plain_modes(image.mode):
                return _transformed(image.convert(mode) if mode != image.mode else image, known)
            _log.warning("the colour profile of %s is for other colours than its own, and is left out", path)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            _log.warning("the colour profile of %s cannot be used, and is left out: %s", path, type(error).__name__)
    return image.convert("RGB")


def _plain_modes(mode: str) -> tuple[str, ...]:
    """Modes in which an image can be given to a profile, without a change of colours."""
    if mode in ("1", "L", "LA", "La"):
        return "L", "RGB"
    return (mode,) if mode == "CMYK" else ("RGB",)


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    made = ImageCms.profileToProfile(image, profile, _built_in("sRGB"), outputMode="RGB")
    assert made is not None  # a new image, as none was to be changed in place
    return made


def _built_in(space: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    made = ImageCms.createProfile(space)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return ImageCms.ImageCmsProfile(made)  # pyright: ignore[reportUnknownArgumentType]
