"""Videos of a data set as sources of single frames: folders of pictures, picture strips, and files of videos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from typing_extensions import override

from ...animation.media.clip import FileClip
from ...animation.media.open_clip import is_clip, open_clip
from ...animation.media.picture import picture_errors, read_picture
from ...animation.media.picture_clip import pictures_in
from ...animation.media.picture_formats import opened_picture
from ...animation.media.reader import VideoClip
from ...core.errors import MediaError
from .seeking import SeekingDecoder, seekable_stamps

FRAMES_AT_ONCE = 16


class FrameSource(ABC):
    """Frames of one video, uint8 RGB (H, W, 3), read one by one; raises MediaError for those that cannot be.

    With `whole`, reading one frame takes as long as reading all.
    """

    whole = False

    @abstractmethod
    def __len__(self) -> int:
        """Count the frames."""

    @abstractmethod
    def read(self, indices: Sequence[int]) -> list[Tensor]:
        """Read the frames with these rising indices."""

    def all(self) -> Iterator[Tensor]:
        """Yield all frames in order."""
        for index in range(len(self)):
            yield from self.read([index])

    def close(self) -> None:  # noqa: B027 (most have nothing open)
        """Close the file, if one is open."""


class FolderFrames(FrameSource):
    """Pictures in a folder, in the order of the numbers in their names, without alpha."""

    def __init__(self, folder: Path) -> None:
        self._files = pictures_in(folder)

    def __len__(self) -> int:
        return len(self._files)

    @override
    def read(self, indices: Sequence[int]) -> list[Tensor]:
        return [_opaque(self._files[index]) for index in indices]


class StripFrames(FrameSource):
    """Picture that shows all frames side by side, each as wide for its height as `shape` (height, width) is.

    Frames are squares without a shape. Raises MediaError for a picture that does not hold whole frames.
    """

    whole = True

    def __init__(self, path: Path, shape: tuple[int, int] | None) -> None:
        self._path = path
        with picture_errors(path), opened_picture(path) as image:
            width, height = image.size
        rows, columns = shape or (1, 1)
        self._width, rest = divmod(height * columns, rows)
        if rest or not self._width or width % self._width:
            raise MediaError(
                f"{path} is {width} x {height}; a strip of frames, {columns}:{rows} each, was wanted. Cut it anew."
            )
        self._count = width // self._width

    def __len__(self) -> int:
        return self._count

    @override
    def read(self, indices: Sequence[int]) -> list[Tensor]:
        frames = [*self.all()]
        return [frames[index].clone() for index in indices]

    @override
    def all(self) -> Iterator[Tensor]:
        yield from torch.split(_opaque(self._path), self._width, dim=1)


class ClipFrames(FrameSource):
    """Video whose frames are decoded from the start each time, as in formats in which no place can be sought."""

    whole = True

    def __init__(self, clip: FileClip) -> None:
        self._clip = clip

    def __len__(self) -> int:
        return len(self._clip)

    @override
    def read(self, indices: Sequence[int]) -> list[Tensor]:
        wanted = set(indices)
        found = dict(zip(range(max(wanted) + 1), self.all(), strict=False))
        if missing := sorted(wanted - found.keys()):
            raise MediaError(f"frame {missing[0]} of {self._clip.path} does not decode. Export the file anew.")
        return [found[index] for index in indices]

    @override
    def all(self) -> Iterator[Tensor]:
        for chunk in self._clip.chunks(FRAMES_AT_ONCE):
            yield from chunk


class SoughtFrames(FrameSource):
    """Video that is decoded from the keyframe before each frame that is read; its file stays open."""

    def __init__(self, path: Path, stamps: Sequence[int]) -> None:
        self._path, self._decoder = path, SeekingDecoder(path, stamps)

    def __len__(self) -> int:
        return len(self._decoder)

    @override
    def read(self, indices: Sequence[int]) -> list[Tensor]:
        return [self._decoder.frame(index) for index in indices]

    @override
    def all(self) -> Iterator[Tensor]:
        return ClipFrames(VideoClip(self._path)).all()

    @override
    def close(self) -> None:
        self._decoder.close()


def open_frames(path: Path, shape: tuple[int, int] | None) -> FrameSource:
    """Open a video of a data set: a folder of pictures, a still picture as a strip of frames, or a file of a video.

    `shape`, (height, width), is that of a strip's frames, whatever their size. Raises MediaError.
    """
    if path.is_dir():
        return FolderFrames(path)
    if not is_clip(path):
        return StripFrames(path, shape)
    stamps = seekable_stamps(path)
    return ClipFrames(open_clip(path)) if stamps is None else SoughtFrames(path, stamps)


def _opaque(path: Path) -> Tensor:
    """Read a picture as (H, W, 3) and drop its alpha, as the published code does."""
    return read_picture(path)[0, ..., :3]
