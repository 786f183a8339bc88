"""Files that a page sends, read piece by piece and no further than a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from ..core.errors import InputError
from .limits import MEGABYTE

PIECE: Final = 2**16


async def pieces(request: web.Request, most: int) -> AsyncIterator[bytes]:
    """Yield a request's body. Raises InputError for one of no bytes, or of more than `most`."""
    size = 0
    async for piece in request.content.iter_chunked(PIECE):
        size += len(piece)
        if size > most:
            raise InputError(f"The file is larger than {most // MEGABYTE} MiB, which is all that is taken.")
        yield piece
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
