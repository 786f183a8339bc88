"""Application that serves the page and works for it; any aiohttp server can take it in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from ..core.errors import FirstOrderError, InputError
from .access import Access, add_headers, refusal
from .frames import MOST_BYTES
from .limits import Limits
from .recording import to_mp4
from .stage import Gate, Stage
from .stream import close_all, serve_stream
from .studio import Setup, Studio
from .uploads import PIECE, passing_folder, read_body, save_body

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).parent / "page"
TYPES: Final = {
    ".html": "text/html", ".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}  # fmt: skip
INDEX: Final = "index.html"


@dataclass(slots=True)
class LiveServer:
    """Application with its studio. `page` is the folder of the page's files."""

    setup: Setup
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    gate: Gate | None = None
    page: Path = PAGE
    _sockets: set[web.WebSocketResponse] = field(default_factory=set[web.WebSocketResponse], init=False)
    _encoding: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _taking_in: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        self._stage = Stage(Studio(self.setup), self.limits, self.gate)

    def application(self) -> web.Application:
        """Make the application; its addresses are relative to wherever it is put."""
        app = web.Application(middlewares=[self.access.middleware()])
        guarded = self.access.guarded
        app.router.add_get("/", self._file)
        app.router.add_get("/page.json", guarded(self._describe))
        app.router.add_get("/stream", guarded(self._stream, needs_origin=True))
        app.router.add_post("/picture", guarded(self._add_picture))
        app.router.add_get("/picture/{id}", guarded(self._show_picture))
        app.router.add_post("/recording", guarded(self._convert))
        app.router.add_get(r"/{name:[\w-]{1,64}\.\w{1,16}}", self._file)
        app.on_response_prepare.append(add_headers)
        app.on_shutdown.append(self._stop)
        app.on_cleanup.append(self._end)
        return app

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Send a file of the page, which holds nothing private."""
        path = self.page / request.match_info.get("name", INDEX)
        if path.suffix not in TYPES or not await asyncio.to_thread(path.is_file):
            return refusal("There is no such page here.", 404)
        response = web.FileResponse(path)
        response.content_type = TYPES[path.suffix]
        return response

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        """Tell the page what it may choose from."""
        limits = {
            "upload_bytes": self.limits.upload_bytes,
            "frame_bytes": MOST_BYTES,
            "frames_per_second": self.limits.messages_per_second,
        }
        return web.json_response(
            {
                "engine": "server",
                "pictures": [{"id": one.id, "label": one.label} for one in self.setup.pictures.listed()],
                "models": [{"id": one.id, "label": one.label} for one in self.setup.models.listed()],
                "limits": limits,
                "recording": "mp4",
            }
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await serve_stream(request, self._stage, self._sockets)

    async def _add_picture(self, request: web.Request) -> web.StreamResponse:
        """Take in a picture that a user chose; one at a time, as large ones take much memory."""
        try:
            async with self._taking_in:
                content = await read_body(request, self.limits.upload_bytes)
                name = request.query.get("name", "")
                added = await asyncio.to_thread(self.setup.pictures.add_upload, content, name)
        except FirstOrderError as error:
            log.warning("A picture was refused: %s", error)
            return refusal(str(error), 400)
        return web.json_response({"id": added.id, "label": added.label})

    async def _show_picture(self, request: web.Request) -> web.StreamResponse:
        try:
            picture = self.setup.pictures.get(request.match_info["id"])
        except FirstOrderError as error:
            return refusal(str(error), 404)
        return web.Response(body=await asyncio.to_thread(picture.thumbnail), content_type="image/jpeg")

    async def _convert(self, request: web.Request) -> web.StreamResponse:
        """Send a recording back as mp4; one at a time, as that is much work."""
        try:
            with passing_folder() as folder:
                recording, result = folder / "the recording", folder / "recording.mp4"
                await save_body(request, recording, self.limits.recording_bytes)
                async with self._encoding:
                    await asyncio.to_thread(to_mp4, recording, result)
                return await _sent(request, result, "video/mp4")  # before the file goes with its folder
        except FirstOrderError as error:
            log.warning("A recording was refused: %s", error)
            return refusal(str(error), 400)

    async def _stop(self, _: web.Application) -> None:
        await close_all(self._sockets, self.limits.close_seconds)

    async def _end(self, _: web.Application) -> None:
        await self._stage.end()


async def _sent(request: web.Request, path: Path, content_type: str) -> web.StreamResponse:
    """Send a whole file, which may go when this returns."""
    response = web.StreamResponse()
    response.content_type, response.content_length = content_type, path.stat().st_size
    await response.prepare(request)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            await response.write(piece)
    await response.write_eof()
    return response


async def serve(
    server: LiveServer, host: str, port: int, stopped: asyncio.Event, tell: Callable[[str], object]
) -> None:
    """Serve at an address until `stopped` is set; `tell` is told the page's address. Port 0 is any that is free.

    Raises InputError where the port is taken.
    """
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=server.limits.close_seconds)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(
                f"is {port}, where nothing can listen at {host} ({error.strerror}). Choose another, or 0 for any.",
                "port",
            ) from error
        tell(address_of(host, runner.addresses[0][1], server.access.token))
        await stopped.wait()
    finally:
        await runner.cleanup()


def address_of(host: str, port: int, token: str, path: str = "/") -> str:
    """Write the address of the page for this machine's browser, where the server listens everywhere too."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}{path}?token={token}"
