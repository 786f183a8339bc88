"""Frames as they travel between page and server: a head of twelve bytes, then a JPEG or WebP."""

from __future__ import annotations

import io
import math
import struct
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..animation.media.picture import PICTURE_DAMAGE
from ..core.errors import InputError, join_names

HEAD: Final = struct.Struct("<Id")  # the frame's number, and when it was taken, in milliseconds of the page's clock
MOST_BYTES: Final = 2_000_000
MOST_PIXELS: Final = 4_000_000
FORMATS: Final = ("JPEG", "WEBP")
QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Frame:
    """Frame that a page sent: its number, its time in milliseconds, and the bytes of its picture."""

    number: int
    milliseconds: float
    content: bytes

    @classmethod
    def parse(cls, message: bytes) -> Frame:
        """Read a message. Raises InputError for one that is no frame."""
        if len(message) <= HEAD.size:
            raise InputError(f"A frame of {len(message)} bytes came; {HEAD.size} bytes and a picture were wanted.")
        if len(message) > HEAD.size + MOST_BYTES:
            raise InputError(f"A frame of {len(message)} bytes came; at most {MOST_BYTES} are read. Send smaller ones.")
        number, milliseconds = HEAD.unpack_from(message)
        if not math.isfinite(milliseconds):
            raise InputError(f"Frame {number} has the time {milliseconds}; milliseconds were wanted.")
        return cls(number, milliseconds, message[HEAD.size :])

    def answer(self, picture: NDArray[np.uint8]) -> bytes:
        """Make the message with the result for this frame, an RGB picture (H, W, 3)."""
        file = io.BytesIO()
        file.write(HEAD.pack(self.number, self.milliseconds))
        Image.fromarray(picture).save(file, "JPEG", quality=QUALITY, subsampling=0)
        return file.getvalue()

    def picture(self) -> NDArray[np.uint8]:
        """Decode the picture: RGB (H, W, 3). Raises InputError for what is no JPEG or WebP, damaged, or too large."""
        try:
            with closing(Image.open(io.BytesIO(self.content), formats=FORMATS)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputError(
                        f"Frame {self.number} has {image.width} x {image.height} pixels; at most "
                        f"{MOST_PIXELS // 10**6} megapixels are read. Send smaller ones."
                    )
                return np.array(image.convert("RGB"))
        except InputError:
            raise
        except (*PICTURE_DAMAGE, Image.DecompressionBombError) as error:
            unknown = isinstance(error, UnidentifiedImageError)
            reason = "it is of no known kind" if unknown else join_names([str(error) or type(error).__name__])
            raise InputError(
                f"Frame {self.number} cannot be read ({reason}); a JPEG or WebP was wanted. It is left out."
            ) from error
