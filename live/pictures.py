"""Pictures that a page may choose from: squares of one face each."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import Final

import torch
from PIL import Image
from torch import Tensor

from ..animation.faces.face import LARGEST, Face, FaceFinder
from ..animation.faces.square import Square, cut
from ..animation.frames import FrameFormat, check_images, without_alpha
from ..animation.framing import AUTO, FaceOptions, frame_picture
from ..animation.media.picture import eight_bit_pictures
from ..animation.media.reader import read_picture
from ..core.errors import InputError, quote
from .uploads import passing_folder

MOST_UPLOADS: Final = 12  # the oldest goes when one more comes
MOST_SIDE: Final = 1024  # pixels that are kept of a picture
MOST_READ: Final = 4 * MOST_SIDE  # pixels of a side in which faces are looked for; larger pictures are thinned out
THUMBNAIL: Final = 256  # pixels
THUMBNAIL_QUALITY: Final = 85


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """Picture to animate: a square (1, S, S, 3) of uint8, and the name that users see."""

    id: str
    label: str
    pixels: Tensor

    def thumbnail(self) -> bytes:
        """Encode it as a small JPEG."""
        image = Image.fromarray(self.pixels[0].numpy())
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=THUMBNAIL_QUALITY)
        return file.getvalue()


class Pictures:
    """Pictures by id, in the order in which they came; for several threads."""

    def __init__(self, finder: FaceFinder, ratio: float) -> None:
        self._finder, self._options = finder, FaceOptions(faces=LARGEST, ratio=ratio)
        self._kept: dict[str, LivePicture] = {}
        self._uploads: list[str] = []
        self._count = self._uploaded = 0
        self._in_use = ""
        self._lock = threading.Lock()

    def listed(self) -> list[LivePicture]:
        """List all of them."""
        with self._lock:
            return [*self._kept.values()]

    def get(self, identity: str) -> LivePicture:
        """Return one of them; raises InputError for another id."""
        with self._lock:
            if identity not in self._kept:
                raise InputError(f"is {quote(identity)}, which is not there. Choose one from the list.", "picture")
            return self._kept[identity]

    def add(self, picture: Tensor, label: str, faces: list[Face] | None = None) -> LivePicture:
        """Add a picture (1, H, W, C): the square of its largest face, or the one in its middle."""
        return self._keep(self._square(picture, faces), label)

    def add_upload(self, content: bytes) -> LivePicture:
        """Add the picture in a file's bytes. Raises MediaError for what is none."""
        with passing_folder() as folder:
            path = folder / "the picture"
            path.write_bytes(content)
            pixels = read_picture(path)
        squared = self._square(pixels, None)
        with self._lock:
            self._uploaded += 1
            label = f"own picture {self._uploaded}"
        added = self._keep(squared, label)
        with self._lock:
            self._uploads.append(added.id)
            in_use = self._in_use
        self.forget_oldest(in_use)
        return added

    def forget_oldest(self, in_use: str) -> None:
        """Forget the oldest uploads beyond the limit, but not the one that is animated."""
        with self._lock:
            self._in_use = in_use
            for identity in self._uploads[: max(0, len(self._uploads) - MOST_UPLOADS)]:
                if identity != in_use:
                    self._uploads.remove(identity)
                    del self._kept[identity]

    def replace_all(self, picture: Tensor, label: str) -> LivePicture:
        """Put one picture in the place of all that were added before, apart from uploads."""
        with self._lock:
            self._kept = {name: one for name, one in self._kept.items() if name in self._uploads}
        return self.add(picture, label)

    def _square(self, picture: Tensor, faces: list[Face] | None) -> Tensor:
        """Cut the face, or the middle, out of a picture, at no more than `MOST_SIDE`: uint8 (1, S, S, 3)."""
        step = -(-max(picture.shape[1:3]) // MOST_READ)
        picture = without_alpha(check_images(picture[:1, ::step, ::step], "picture"))
        squares = frame_picture(picture, AUTO, self._finder, self._options, faces)
        height, width = picture.shape[1:3]
        side = min(height, width)
        middle = Square((width - width % 2) / 2, (height - height % 2) / 2, float(side - side % 2)).aligned()
        if squares is None and height == width and side <= MOST_SIDE:
            rgb = FrameFormat((side, side), torch.device("cpu")).convert(picture, "picture")
        else:
            square = middle if squares is None else squares.of_picture(0)[0]
            whole = FrameFormat((height, width), torch.device("cpu")).convert(picture, "picture")
            rgb = cut(whole, square, min(MOST_SIDE, round(square.side)))
        return torch.from_numpy(eight_bit_pictures(rgb))  # pyright: ignore[reportUnknownMemberType]

    def _keep(self, pixels: Tensor, label: str) -> LivePicture:
        with self._lock:
            self._count += 1
            picture = LivePicture(f"p{self._count}", label, pixels)
            self._kept[picture.id] = picture
        return picture
