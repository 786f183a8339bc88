"""Pictures that a page may choose from, and what can be shown of each."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from PIL import Image
from torch import Tensor

from ..animation.faces.clips import find_faces
from ..animation.faces.face import ALL, LARGEST, Face, FaceFinder, choose_faces, left_to_right
from ..animation.faces.finders.detector import FACES_EXTRA
from ..animation.faces.square import square_around
from ..animation.frames import FrameFormat, check_images
from ..animation.framing import inside, is_square
from ..animation.full_size import cut_out
from ..animation.media.picture import eight_bit_pictures
from ..animation.media.reader import read_picture
from ..core.errors import InputError, quote
from .settings import SQUARE, WHOLE
from .uploads import passing_folder
from .view import View, middle_square

log = logging.getLogger(__name__)

MOST_UPLOADS: Final = 12  # the oldest goes when one more comes
MOST_KEPT: Final = 2048  # pixels of a picture's longer side
MOST_READ: Final = 2 * MOST_KEPT  # beyond, pictures are thinned out first, to take less memory
MOST_SHOWN: Final = 1280  # pixels of a whole picture's longer side: browsers decode each one anew
MOST_CUT: Final = 1024  # pixels of the side of a face that is cut out
LONGEST_LABEL: Final = 255  # characters, as file systems have them
THUMBNAIL: Final = 256  # pixels
THUMBNAIL_QUALITY: Final = 85
NO_FACE: Final = "In the picture no face is found: the square in its middle is animated."

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a picture that is shown: the "whole" or a "square"; `faces` move, none where a square itself does.

    `choice` names them as `FaceOptions` does, of those that were `found`: their boxes, left to right, in parts of the
    picture's width and height, as no page knows the size that faces are in; `note` is what a user should know.
    """

    picture: str
    shown: str
    faces: tuple[Face, ...] = ()
    choice: str = ""
    found: tuple[Box, ...] = ()
    note: str = ""


class LivePicture:
    """Picture to animate, (1, H, W, 3) of uint8, with the name that users see; its faces are found when first needed.

    Given `faces` are taken instead of the finder's. `ratio` is the margin around them.
    """

    def __init__(
        self, identity: str, label: str, pixels: Tensor, finder: FaceFinder, ratio: float, faces: list[Face] | None
    ) -> None:
        self.id, self.label, self.pixels = identity, label, pixels
        self._finder, self._ratio, self._faces = finder, ratio, faces
        self._is_plain = is_square(pixels) and faces is None

    @property
    def faces(self) -> list[Face]:
        """Find its faces, once: from left to right."""
        if self._faces is None:
            self._faces = find_faces(self.pixels, self._finder)
            if not self._faces:
                log.warning(
                    "No face was found in the picture %r by %s; the square in its middle is animated. Give boxes of "
                    "the faces, or install a better detector (%s).",
                    self.label, self._finder.name, FACES_EXTRA,
                )  # fmt: skip
        return self._faces

    def part(self, shown: str | None, choice: str) -> Part:
        """Choose what is shown; see `LiveSettings`. Raises InputError for a face that is not there."""
        shown = shown or (SQUARE if self._is_plain else WHOLE)
        if shown == SQUARE and self._is_plain and choice in (LARGEST, ALL):
            return Part(self.id, SQUARE)
        chosen = choose_faces(self.faces, choice)
        if not chosen:
            return Part(self.id, SQUARE, note=NO_FACE)
        if shown == SQUARE:
            chosen = choose_faces(chosen, LARGEST)
        named = ",".join(str(self.faces.index(face)) for face in chosen)
        everyone = len(chosen) == len(self.faces) > 1
        return Part(self.id, shown, tuple(chosen), ALL if everyone else named, self._boxes())

    def _boxes(self) -> tuple[Box, ...]:
        height, width = self.pixels.shape[1:3]
        return tuple((one.x0 / width, one.y0 / height, one.x1 / width, one.y1 / height) for one in self.faces)

    def view(self, part: Part) -> View:
        """Make the view of a part. Raises InputError for a margin out of bounds."""
        if part.shown == WHOLE:
            shrunk = _shrunk(self.pixels, MOST_SHOWN)
            share = shrunk.shape[2] / self.pixels.shape[2]
            faces = _scaled(part.faces, share)
            return View(_even(shrunk), [square_around(face, self._ratio).aligned() for face in faces])
        if not part.faces:
            return View(middle_square(self.pixels))
        square = square_around(part.faces[0], self._ratio).aligned()
        return View(cut_out(self.pixels, square, min(MOST_CUT, round(square.side))))

    def thumbnail(self) -> bytes:
        """Encode it as a small JPEG."""
        image = Image.fromarray(self.pixels[0].numpy())
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=THUMBNAIL_QUALITY)
        return file.getvalue()


def _plain(name: str) -> str:
    """Leave of a file's name what can be shown in a line."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:LONGEST_LABEL]


def _read(picture: Tensor) -> Tensor:
    """Bring a picture (1, H, W, C) of any kind of number to uint8 (1, H, W, 3), no larger than is kept."""
    step = -(-max(picture.shape[1:3]) // MOST_READ)
    return _shrunk(check_images(picture[:1, ::step, ::step], "picture"), MOST_KEPT)


def _shrunk(picture: Tensor, most: int) -> Tensor:
    """Shrink a picture (1, H, W, C) whose longer side has more than `most` pixels: uint8 (1, H, W, 3)."""
    height, width = picture.shape[1:3]
    share = min(1.0, most / max(height, width))
    size = max(1, round(height * share)), max(1, round(width * share))
    planes = FrameFormat(size, torch.device("cpu"), antialias=True).convert(picture, "picture")
    return torch.from_numpy(eight_bit_pictures(planes))  # pyright: ignore[reportUnknownMemberType]


def _scaled(faces: Sequence[Face], share: float) -> list[Face]:
    return [Face(*(edge * share for edge in face.box), score=face.score) for face in faces]


def _even(picture: Tensor) -> Tensor:
    """Leave out a last row or column that videos, whose sides are even, could not show."""
    height, width = picture.shape[1:3]
    return picture[:, : height - height % 2 or height, : width - width % 2 or width]


class Pictures:
    """Pictures by id, in the order in which they came; for several threads."""

    def __init__(self, finder: FaceFinder, ratio: float) -> None:
        self._finder, self._ratio = finder, ratio
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
        """Add a picture (1, H, W, C), with faces where they are known. Raises InputError for those outside of it."""
        pixels = _read(picture)
        if faces is not None:
            faces = _scaled(left_to_right(inside(faces, picture, "boxes")), pixels.shape[2] / picture.shape[2])
        return self._keep(pixels, label, faces)

    def add_upload(self, content: bytes, name: str = "") -> LivePicture:
        """Add the picture in a file's bytes, by the file's name if that can be shown. Raises MediaError for none."""
        with passing_folder() as folder:
            path = folder / "the picture"
            path.write_bytes(content)
            pixels = read_picture(path)
        read = _read(pixels)
        with self._lock:
            self._uploaded += 1
            label = _plain(name) or f"own picture {self._uploaded}"
        added = self._keep(read, label)
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

    def _keep(self, pixels: Tensor, label: str, faces: list[Face] | None = None) -> LivePicture:
        with self._lock:
            self._count += 1
            picture = LivePicture(f"p{self._count}", label, pixels, self._finder, self._ratio, faces)
            self._kept[picture.id] = picture
        return picture
