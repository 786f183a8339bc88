"""Still pictures as tensors, and tensors as pictures of 8 bits."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from ...core.errors import InputError, MediaError, join_names, reason_in
from .picture_colours import to_srgb
from .picture_formats import opened_picture, unread_format

MAX_PIXELS = 89_000_000  # just under the size at which Pillow warns of decompression bombs
_PLAIN_PIXELS = 16_000_000  # up to this size whatever the file's own; above it, files are as large as pictures need
_PIXELS_PER_BYTE = 500  # of a file: even one colour takes more
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# What Pillow raises for files that it cannot read: its readers of the rarer formats check little.
PICTURE_DAMAGE: Final = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, LookupError, TypeError, ArithmeticError,
    AttributeError, RuntimeError, MemoryError, AssertionError,
)  # fmt: skip


def read_picture(path: str | Path) -> Tensor:
    """Read the picture in a file as uint8 (1, H, W, C): RGB, or RGBA where the file has transparency.

    It comes upright (EXIF orientation applied) and in sRGB, whatever its own colour profile. Grey and palette pictures
    become RGB, 16 bits become 8, and of an animation the first frame is read. Raises MediaError for a file that is
    missing, not a picture, damaged, or of more than 89 megapixels.
    """
    path = Path(path)
    with picture_errors(path), opened_picture(path) as image:
        check_pixels(path, image.size)
        upright = ImageOps.exif_transpose(image)
        pixels = np.array(to_srgb(path, upright), dtype=np.uint8)  # (H, W, C)
    return torch.as_tensor(pixels).unsqueeze(0)


@contextmanager
def picture_errors(path: Path) -> Generator[None]:
    """Raise what Pillow says of a file in the block as MediaError of one line, and keep its warnings to itself."""
    if not path.is_file():
        raise MediaError(f"{path} is not there or not a file; a picture was wanted. Check the path.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _BOMBS as error:
        raise _too_large(path, str(error)) from error
    except Image.UnidentifiedImageError as error:
        raise _unidentified(path) from error
    except PICTURE_DAMAGE as error:
        reason = join_names([reason_in(error) or type(error).__name__])
        raise MediaError(
            f"{path} cannot be read as a picture ({reason}); png, jpg, webp or the like was wanted. "
            "Check the file, or save it anew."
        ) from error


def check_pixels(path: Path, size: tuple[int, int]) -> None:
    """Raise MediaError for a picture that is too large, or far larger than its file can hold."""
    pixels, held = size[0] * size[1], path.stat().st_size * _PIXELS_PER_BYTE
    if pixels > MAX_PIXELS:
        raise _too_large(path, f"{pixels / 1e6:.0f} megapixels")
    if pixels > max(_PLAIN_PIXELS, held):
        raise _too_large(path, f"{pixels / 1e6:.0f} megapixels in a file of {path.stat().st_size} bytes")


def eight_bit_pictures(frames: Tensor) -> NDArray[np.uint8]:
    """Convert frames (B, 3, H, W), float in [0, 1] or uint8, to uint8 (B, H, W, 3) on the CPU; else InputError."""
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape[2:]:
        raise InputError(f"frames have shape {tuple(frames.shape)}; (B, 3, H, W) was wanted. Permute them first.")
    if frames.is_floating_point():
        frames = frames.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    elif frames.dtype != torch.uint8:
        raise InputError(f"frames are {frames.dtype}; float in [0, 1] or uint8 was wanted. Convert them first.")
    return frames.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _too_large(path: Path, found: str) -> MediaError:
    limit = MAX_PIXELS // 10**6
    return MediaError(f"{path} is too large ({found}); at most {limit} megapixels are read. Scale it down.")


def _unidentified(path: Path) -> MediaError:
    known = unread_format(path)
    if known is not None:
        return MediaError(f"{path} is {known[0]}; png, jpg, webp or the like was wanted. Please {known[1]}.")
    return MediaError(
        f"{path} cannot be read as a picture (it is none that is known); png, jpg, webp or the like was wanted. "
        "Check the file, or save it anew."
    )
