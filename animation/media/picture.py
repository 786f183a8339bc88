"""Still pictures as tensors."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ...core.errors import MediaError

MAX_PIXELS = 89_000_000  # just under the size at which Pillow warns of decompression bombs
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises for files it cannot read


def read_picture(path: str | Path) -> Tensor:
    """The picture in a file as uint8 (1, H, W, C) in [0, 255]: RGB, or RGBA where the file has transparency.

    It comes upright (EXIF orientation applied). Grey and palette pictures become RGB, 16 bits become 8, and
    of an animation the first frame is read. Raises MediaError for a file that is missing, not a picture,
    damaged, or of more than 89 megapixels.
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"{path} is not there or not a file; a picture was wanted. Check the path.")
    try:
        with closing(Image.open(path)) as image:
            _check_size(path, image.width * image.height)
            upright = ImageOps.exif_transpose(image)
            pixels = np.array(_eight_bit(path, upright), dtype=np.uint8)  # (H, W, C)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, str(error)) from error
    except _DAMAGE as error:
        raise MediaError(
            f"{path} cannot be read as a picture ({error}); png, jpg, webp or the like was wanted. "
            "Check the file, or save it anew."
        ) from error
    return torch.as_tensor(pixels).unsqueeze(0)


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large(path, f"{pixels / 1e6:.0f} megapixels")


def _too_large(path: Path, found: str) -> MediaError:
    limit = MAX_PIXELS // 10**6
    return MediaError(f"{path} is too large ({found}); at most {limit} megapixels are read. Scale it down.")


def _eight_bit(path: Path, image: Image.Image) -> Image.Image:
    """The image in mode RGB or RGBA."""
    if image.mode == "F":
        raise MediaError(f"{path} holds floating point values; 8 or 16 bit were wanted. Save it as png.")
    if image.mode == "I" or image.mode.startswith("I;16"):
        deep = np.array(image, dtype=np.int64).clip(0, 65535)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    has_alpha = "transparency" in image.info or any(band in "Aa" for band in image.getbands())
    return image.convert("RGBA" if has_alpha else "RGB")
