"""Still pictures as tensors, and tensors as pictures of 8 bits."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from ...core.errors import InputError, MediaError

MAX_PIXELS = 89_000_000  # just under the size at which Pillow warns of decompression bombs
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises for files it cannot read


def read_picture(path: str | Path) -> Tensor:
    """Read the picture in a file as uint8 (1, H, W, C): RGB, or RGBA where the file has transparency.

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


def eight_bit_pictures(frames: Tensor) -> NDArray[np.uint8]:
    """Convert frames (B, 3, H, W), float in [0, 1] or uint8, to uint8 (B, H, W, 3) on the CPU; else InputError."""
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape[2:]:
        raise InputError(f"frames have shape {tuple(frames.shape)}; (B, 3, H, W) was wanted. Permute them first.")
    if frames.is_floating_point():
        frames = frames.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    elif frames.dtype != torch.uint8:
        raise InputError(f"frames are {frames.dtype}; float in [0, 1] or uint8 was wanted. Convert them first.")
    return frames.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large(path, f"{pixels / 1e6:.0f} megapixels")


def _too_large(path: Path, found: str) -> MediaError:
    limit = MAX_PIXELS // 10**6
    return MediaError(f"{path} is too large ({found}); at most {limit} megapixels are read. Scale it down.")


def _eight_bit(path: Path, image: Image.Image) -> Image.Image:
    """Convert an image to mode RGB or RGBA."""
    if image.mode == "F":
        raise MediaError(f"{path} holds floating point values; 8 or 16 bit were wanted. Save it as png.")
    if image.mode == "I" or image.mode.startswith("I;16"):
        deep = np.array(image, dtype=np.int64).clip(0, 65535)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    has_alpha = "transparency" in image.info or any(band in "Aa" for band in image.getbands())
    return image.convert("RGBA" if has_alpha else "RGB")
