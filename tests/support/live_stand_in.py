"""Server that speaks the page's protocol and sends each frame back as the result, or does what a test tells it."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from first_order_motion.live.site import PAGE
from PIL import Image

web = pytest.importorskip("aiohttp.web", reason="needs aiohttp: pip install aiohttp")

TOKEN = "the-token"
TYPES = {".html": "text/html", ".css": "text/css", ".mjs": "text/javascript"}
STATE = {
    "type": "state", "model": "m", "picture": "face", "size": 128, "strength": 1, "expression": 1, "smooth": 0.08,
    "mirror": False, "hold": False, "framing": "whole", "device": "cpu", "frames_done": 0, "frames_dropped": 0,
}  # fmt: skip


@dataclass
class StandIn:
    """Server in a thread; `heard` are the messages it got, `greeting` what it says first, `sockets` those open."""

    greeting: list[dict[str, Any]] = field(default_factory=lambda: [STATE, {"type": "ready"}])
    answers: bool = True
    refusal: str = ""
    pictures: list[str] = field(default_factory=lambda: ["face"])
    heard: list[dict[str, Any]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    sockets: list[Any] = field(default_factory=list)
    recordings: list[bytes] = field(default_factory=list)
    url: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.runner: Any = None

    @property
    def address(self) -> str:
        return f"{self.url}?token={TOKEN}"

    def start(self) -> None:
        self._wait(self._start())

    def stop(self) -> None:
        self._wait(self._stop())

    def say(self, message: dict[str, Any]) -> None:
        """Send a message to all pages."""
        self._wait(self._say(message))

    def close(self, code: int, reason: bytes = b"") -> None:
        """Close all connections."""
        for socket in [*self.sockets]:
            self._wait(socket.close(code=code, message=reason))

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == kind]

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/page.json", self._describe)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/picture/{id}", self._picture)
        app.router.add_post("/picture", self._add)
        app.router.add_post("/recording", self._record)
        app.router.add_get("/{name:.*}", self._file)
        self.runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/"

    async def _stop(self) -> None:
        for socket in [*self.sockets]:
            await socket.close(code=1001, message=b"The server was stopped.")
        await self.runner.cleanup()

    async def _say(self, message: dict[str, Any]) -> None:
        for socket in self.sockets:
            await socket.send_json(message)

    async def _file(self, request: Any) -> Any:
        path = PAGE / (request.match_info["name"] or "index.html")
        return web.Response(body=path.read_bytes(), content_type=TYPES[path.suffix])

    async def _describe(self, request: Any) -> Any:
        if self.refusal or request.query.get("token") != TOKEN:
            return web.json_response({"error": self.refusal or "The token is wrong."}, status=403)
        pictures = [{"id": name, "label": name.title()} for name in self.pictures]
        models = [{"id": "m", "label": "Model"}]
        limits = {"upload_bytes": 10**6, "frame_bytes": 2 * 10**6, "frames_per_second": 120}
        return web.json_response(
            {"engine": "server", "pictures": pictures, "models": models, "limits": limits, "recording": "mp4"}
        )

    async def _picture(self, _: Any) -> Any:
        stream = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(stream, "JPEG")
        return web.Response(body=stream.getvalue(), content_type="image/jpeg")

    async def _add(self, request: Any) -> Any:
        content = await request.read()
        if content[:4] != b"\x89PNG":
            return web.json_response({"error": "The file is no picture. Choose another."}, status=400)
        return web.json_response({"id": "own", "label": request.query["name"]})

    async def _record(self, request: Any) -> Any:
        self.recordings.append(await request.read())
        return web.Response(body=b"an mp4", content_type="video/mp4")

    async def _stream(self, request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        for message in self.greeting:
            await socket.send_json(message)
        async for message in socket:
            if isinstance(message.data, str):
                self.heard.append(json.loads(message.data))
            else:
                self.frames.append(message.data)
                if self.answers:
                    await socket.send_bytes(message.data)
        self.sockets.remove(socket)
        return socket


@contextmanager
def standing_in(**facts: Any) -> Iterator[StandIn]:
    """Run such a server."""
    server = StandIn(**facts)
    thread = threading.Thread(target=server.loop.run_forever, daemon=True)
    thread.start()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join(10)
