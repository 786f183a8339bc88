"""Files that a page sends: read piece by piece, no further than a limit, and kept no longer than they are needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from ..core.errors import InputError, MediaError
from .limits import MEGABYTE

PIECE: Final = 2**16


@contextmanager
def passing_folder() -> Generator[Path]:
    """Make a folder for a block; what errors say of files in it leaves the folder out, which is nobody's business."""
    with tempfile.TemporaryDirectory(prefix="first_order_motion_") as folder:
        try:
            yield Path(folder)
        except MediaError as error:
            raise MediaError(str(error).replace(f"{folder}{os.sep}", "")) from error


async def pieces(request: web.Request, most: int) -> AsyncIterator[bytes]:
    """Yield a request's body. Raises InputError for one of no bytes, or of more than `most`."""
    size = 0
    try:
        async for piece in request.content.iter_chunked(PIECE):
            size += len(piece)
            if size > most:
                raise InputError(f"The file is larger than {most // MEGABYTE} MiB, which is all that is taken.")
            yield piece
    except (ClientPayloadError, HttpProcessingError, ConnectionError, web.RequestPayloadError) as error:
        raise InputError("The file broke off, or is not encoded as its request says. Send it again.") from error
    if size == 0:
        raise InputError("The file is empty. Choose another.")


async def read_body(request: web.Request, most: int) -> bytes:
    """Read a body into memory; see `pieces`."""
    return b"".join([piece async for piece in pieces(request, most)])


async def save_body(request: web.Request, path: Path, most: int) -> None:
    """Write a body into a file; see `pieces`."""
    with path.open("wb") as file:
        async for piece in pieces(request, most):
            file.write(piece)
