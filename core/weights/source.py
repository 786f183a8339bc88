"""Bytes of a weight file, read only where the file has them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from ..errors import CheckpointError, join_names, quote
from ..input_file import check_ordinary

WEIGHTS_ADVICE: Final = "a whole weight file is needed. Download it again."
SHOWN_NAMES: Final = 90  # characters of the names in a refusal


class Malformed(Exception):  # noqa: N818 (not an error of the caller's: `open_source` makes a CheckpointError of it)
    """Damage of a file, in a few words without the file's name."""


class Foreign(Exception):  # noqa: N818 (likewise)
    """Finding that a file is something else: what it is, and what to do, as the words after "is"."""


class Refused(Exception):  # noqa: N818 (likewise)
    """Request of a file for classes or functions, by their names, that weights do not need."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(join_names(names, budget=SHOWN_NAMES))


class Source:
    """Open file whose length is known, so that nothing is asked of it that it does not have."""

    def __init__(self, file: FileIO) -> None:
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._mapping: mmap.mmap | None = None

    def read(self, position: int, length: int) -> bytes:
        """Read bytes of the file; raises Malformed if they are not all there."""
        self._seek(position, length)
        data = self._file.read(length)
        if len(data) != length:
            raise Malformed("it became shorter while it was read")
        return data

    def read_into(self, position: int, buffer: memoryview) -> None:
        """Fill a buffer of bytes from the file, without another copy; raises Malformed if they are not all there."""
        self._seek(position, len(buffer))
        done = 0
        while done < len(buffer):
            count = self._file.readinto(buffer[done:])
            if not count:
                raise Malformed("it became shorter while it was read")
            done += count

    def mapped(self) -> mmap.mmap | None:
        """Map the whole file into memory, so that nothing is read before it is needed, and nothing copied.

        What is written there stays out of the file. None where the file system cannot do it. The mapping outlives the
        open file, for as long as something refers to it.
        """
        if self._mapping is None and self.size:
            try:
                self._mapping = mmap.mmap(self._file.fileno(), self.size, access=mmap.ACCESS_COPY)
            except (OSError, ValueError):  # the latter for a file that became shorter
                return None
        return self._mapping

    def _seek(self, position: int, length: int) -> None:
        if position < 0 or length < 0:
            raise Malformed("a position or a length is negative")
        if position + length > self.size:
            raise Malformed(f"it ends before byte {quote(position + length)}")
        self._file.seek(position)


@contextmanager
def open_source(path: Path, advice: str = WEIGHTS_ADVICE) -> Generator[Source, None, None]:
    """Open a weight file; Malformed, Foreign and Refused from the block become CheckpointErrors that name the file.

    `advice` says of a damaged one what is needed, and what to do.
    """
    size = 0
    try:
        check_ordinary(path)
        with path.open("rb", buffering=0) as file:
            source = Source(file)
            size = source.size
            yield source
    except Malformed as fault:
        raise CheckpointError(f"{path} is damaged or cut short ({size} bytes; {fault}); {advice}") from fault
    except Foreign as kind:
        raise CheckpointError(f"{path} is {kind}") from None
    except Refused as names:
        raise CheckpointError(
            f"{path} asks for {names}, which could run code and was refused; weights need only tensors. "
            "Get the published file, or save the state dicts alone."
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check its permissions and disk.") from error
    except MemoryError as error:
        raise CheckpointError(f"{path} does not fit into memory; close other programs.") from error
