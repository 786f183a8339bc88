"""Base of everything that writes frames to disk, whatever the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Self

from ...core.errors import InputError, MediaError
from .frame_times import FrameTimes
from .picture import eight_bit_pictures


class FrameWriter(ABC):
    """Output that takes frames as they come; use it in a `with` block.

    The result appears under its name, replacing an older one, only when the block ends well; an error or a cancel
    inside leaves nothing. `times` are those of the frames, or a constant rate, kept as exactly as the format can.
    Raises MediaError or InputError at the earliest point it can know.
    """

    def __init__(self, path: str | Path, times: float | Fraction | FrameTimes) -> None:
        self.path = Path(path)
        self.times = times if isinstance(times, FrameTimes) else FrameTimes.even(times)
        self.written = 0  # frames taken so far
        self._size: tuple[int, int] | None = None  # (H, W) of the first frame
        self._is_open = False

    def __enter__(self) -> Self:
        try:
            with self._refusals():
                self._begin()
        except MediaError:
            self._discard()
            raise
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        try:
            if error is None:
                self._check_any()
                with self._refusals():
                    self._finish()
        finally:
            self._discard()

    def write(self, frames: Tensor) -> None:
        """Append frames (B, 3, H, W): float in [0, 1] (clamped), or uint8. All calls must agree on H and W.

        Raises InputError for another shape or type, MediaError where the encoder or the disk refuses.
        """
        if not self._is_open:
            raise MediaError(f"{self.path} is not open for writing. Write inside the `with` block.")
        for picture in eight_bit_pictures(frames):
            self._check_size((picture.shape[0], picture.shape[1]))
            with self._refusals():
                self._add(picture)
            self.written += 1

    @abstractmethod
    def _begin(self) -> None:
        """Open what is written to."""

    @abstractmethod
    def _add(self, picture: NDArray[np.uint8]) -> None:
        """Write one picture (H, W, 3)."""

    @abstractmethod
    def _finish(self) -> None:
        """Write what is held back, and give the result its name."""

    @abstractmethod
    def _discard(self) -> None:
        """Close what is open and remove what has no name yet, whatever state it is in; called after `_finish` too."""

    def _check_any(self) -> None:
        if self.written == 0:
            raise MediaError(f"0 frames were written to {self.path}; at least 1 is needed. Check the driving clip.")

    def _check_size(self, size: tuple[int, int]) -> None:
        self._size = self._size or size
        if size != self._size:
            raise InputError(
                f"a frame of {size[1]} x {size[0]} came after {self._size[1]} x {self._size[0]}; a video has one size. "
                "Resize the frames first."
            )

    @contextmanager
    def _refusals(self) -> Generator[None, None, None]:
        """Raise what the encoder or the disk refuses as MediaError."""
        try:
            yield
        except (FFmpegError, OSError) as error:
            raise MediaError(
                f"{self.path} cannot be written ({error.strerror or error}). Check free space, rights and frame size."
            ) from error
