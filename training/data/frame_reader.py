"""Reader of single frames of many videos at one size, which remembers those it read last."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from typing_extensions import Self

from ...animation.faces.square import resized
from ...core.errors import MediaError
from .frame_sources import FrameSource, open_frames

MEMORY: Final = 2**28  # bytes of frames that one process remembers
MOST_OPEN: Final = 16  # files that one process has open
WHOLE_SHARE: Final = 4  # part of the memory, 1/4, that the frames of one video may take

# What a worker inherits of its parent's decoders must not be freed there: FFmpeg would wait for threads that only the
# parent has. Decoders are held by cycles too, which a collection would free at any time.
_inherited: list[object] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=gc.freeze, after_in_parent=gc.unfreeze)


class FrameReader:
    """Reader of frames, uint8 (3, height, width), of videos by their paths; see `open_frames` for the errors.

    Frames of another size are resized, bilinear and antialiased, where the published FOMM code stops or fails. Without
    a `size` they stay as they are. Every process has its own open files and remembered frames.
    """

    def __init__(self, size: tuple[int, int] | None, memory: int = MEMORY) -> None:
        self.size, self._memory = size, memory
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[Path, FrameSource] = OrderedDict()
        self._frames: OrderedDict[tuple[Path, int], Tensor] = OrderedDict()
        self._held = 0

    def __getstate__(self) -> dict[str, object]:
        return {"size": self.size, "_memory": self._memory}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._forget()

    @property
    def held(self) -> int:
        """Bytes of the frames that are remembered."""
        return self._held

    @property
    def opened(self) -> int:
        """Number of videos that are open."""
        return len(self._open)

    def count(self, path: Path) -> int:
        """Count the frames of a video."""
        return len(self._source(path))

    def read(self, path: Path, indices: Sequence[int]) -> list[Tensor]:
        """Read the frames of a video with these rising indices."""
        found = {index: self._frames[path, index] for index in indices if (path, index) in self._frames}
        for key in found:
            self._frames.move_to_end((path, key))
        if missing := sorted(set(indices) - found.keys()):
            found |= self._read_anew(path, missing)
        return [found[index] for index in indices]

    def _read_anew(self, path: Path, indices: Sequence[int]) -> dict[int, Tensor]:
        """Read frames from their file, and with them all others where that takes no longer."""
        source, found = self._source(path), dict[int, Tensor]()
        whole = self._worth_all(source)
        frames = zip(count(), source.all(), strict=False) if whole else zip(indices, source.read(indices), strict=True)
        for index, frame in frames:
            found[index] = self._fit(frame)
            self._remember((path, index), found[index])
        if lost := [index for index in indices if index not in found]:
            raise MediaError(f"frame {lost[0]} of {path} does not decode; the file is damaged. Export it anew.")
        return found

    def all(self, path: Path) -> Iterator[Tensor]:
        """Yield all frames of a video in order, remembering none."""
        return (self._fit(frame) for frame in open_frames(path, self.size).all())

    def close(self) -> None:
        """Close all files and forget all frames."""
        for source in self._open.values():
            source.close()
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _source(self, path: Path) -> FrameSource:
        if self._process != os.getpid():  # a forked worker shares the places in open files with its parent
            _inherited.append(self._open)
            self._forget()
        source = self._open.get(path)
        if source is None:
            source = self._open[path] = open_frames(path, self.size)
        self._open.move_to_end(path)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        return source

    def _worth_all(self, source: FrameSource) -> bool:
        """Tell whether all frames are to be read where one is wanted: that takes no longer, and they fit."""
        if not source.whole or self.size is None:
            return False
        return len(source) * 3 * self.size[0] * self.size[1] <= self._memory // WHOLE_SHARE

    def _fit(self, frame: Tensor) -> Tensor:
        """Bring a frame (H, W, 3) to the size: (3, height, width)."""
        picture = frame.movedim(-1, 0)
        if self.size is None or picture.shape[1:] == self.size:
            return picture.contiguous()
        return resized(picture[None].float(), self.size)[0].round_().clamp_(0, 255).to(torch.uint8)

    def _remember(self, key: tuple[Path, int], frame: Tensor) -> None:
        if key not in self._frames:
            self._held += frame.nbytes
        self._frames[key] = frame
        while self._held > self._memory:
            self._held -= self._frames.popitem(last=False)[1].nbytes
