"""What live tests share: sessions and studios on tiny models, frames, and a page that talks with a server."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from first_order_motion.animation.faces.detectors import NoFinder
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.errors import CheckpointError
from first_order_motion.live.access import Access
from first_order_motion.live.limits import Limits
from first_order_motion.live.pictures import Pictures
from first_order_motion.live.server import LiveServer
from first_order_motion.live.settings import LiveSettings
from first_order_motion.live.studio import Entry, Setup
from numpy.typing import NDArray
from PIL import Image
from support.architectures import CPU, blobs, tiny

Pixels = NDArray[np.uint8]
T = TypeVar("T")

RATE = 25.0
TOKEN = "the token"
LIMIT = 20.0  # seconds for which a test waits for a message


def pixels(count: int, height: int = 64, width: int = 64, seed: int = 1) -> list[Pixels]:
    """Frames (H, W, 3) of blobs that wander."""
    return [*(blobs(count, height, width, seed) * 255).round().byte().numpy()]


def encoded(picture: Pixels, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, quality=95)
    return file.getvalue()


def message(number: int, picture: Pixels | bytes, milliseconds: float | None = None) -> bytes:
    """A frame as a page sends it."""
    content = picture if isinstance(picture, bytes) else encoded(picture)
    return struct.pack("<Id", number, number * 1000 / RATE if milliseconds is None else milliseconds) + content


def predictor(name: str = "fomm") -> Predictor:
    return Predictor(tiny(name), CPU)


@dataclass
class FakeModels:
    """Tiny models; counts what is loaded and freed, and can be held up or refuse."""

    names: Sequence[str] = ("fomm", "spline", "partswap")
    loaded: list[str] = field(default_factory=list[str])
    freed: int = 0
    is_there: bool = True
    refused: str = ""
    draws: threading.Event = field(default_factory=threading.Event)
    may_draw: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_draw.set()

    def listed(self) -> list[Entry]:
        return [Entry(name, name.upper()) for name in self.names]

    def load(self, identity: str) -> Predictor:
        if identity == self.refused:
            raise CheckpointError(f"{identity} is damaged. Choose another.")
        self.loaded.append(identity)
        self.is_there = True
        return predictor(identity)

    @contextmanager
    def in_use(self) -> Generator[bool]:
        self.draws.set()
        self.may_draw.wait(LIMIT)
        yield self.is_there

    def free(self) -> None:
        self.freed += 1


class FakeFinder:
    """Finder of the faces it is told of."""

    name = "fake"

    def __init__(self, *faces: Face) -> None:
        self.faces, self.asked = list(faces), 0

    def __call__(self, picture: Pixels) -> list[Face]:
        self.asked += 1
        return list(self.faces)


def studio_setup(models: FakeModels | None = None, **options: Any) -> Setup:
    """A studio with one picture."""
    pictures = Pictures(NoFinder(), 0.4)
    pictures.add(blobs(1, seed=3), "blobs")
    settings = options.pop("settings", LiveSettings(smooth=0.0))
    return Setup(models or FakeModels(), pictures, options.pop("finder", NoFinder()), settings, **options)


class Page:
    """Page that talks with the server over its WebSocket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any] | bytes | int:
        """The next message: an object, a picture's bytes, or the code with which the server closed."""
        heard = await asyncio.wait_for(self.socket.receive(), LIMIT)
        if heard.type == WSMsgType.BINARY:
            return heard.data
        if heard.type != WSMsgType.TEXT:
            return self.socket.close_code or 0
        self.heard.append(json.loads(heard.data))
        return self.heard[-1]

    async def until(self, kind: str, **values: object) -> dict[str, Any]:
        """The next object of a type, with these values."""
        while True:
            heard = await self.next()
            assert not isinstance(heard, int), f"closed with {heard} after {self.heard}"
            if isinstance(heard, dict) and heard["type"] == kind and values.items() <= heard.items():
                return heard

    async def picture(self) -> tuple[int, float, Pixels]:
        """The next picture, with its number and time."""
        while True:
            heard = await self.next()
            assert not isinstance(heard, int), f"closed with {heard} after {self.heard}"
            if isinstance(heard, bytes):
                number, milliseconds = struct.unpack("<Id", heard[:12])
                return number, milliseconds, np.asarray(Image.open(io.BytesIO(heard[12:])))

    async def closed(self) -> int:
        """The code with which the server closes."""
        while not isinstance(heard := await self.next(), int):
            pass
        return heard

    async def say(self, **words: object) -> None:
        await self.socket.send_json(words)

    async def show(self, number: int, picture: Pixels | bytes) -> None:
        await self.socket.send_bytes(message(number, picture))

    async def draw(self, number: int, picture: Pixels) -> Pixels:
        """Show a frame, and return the picture that answers it."""
        await self.show(number, picture)
        answer, _, drawn = await self.picture()
        assert answer == number
        return drawn


@dataclass
class Served:
    """A server under test, and clients of it."""

    client: TestClient[Any, Any]
    server: LiveServer

    @property
    def models(self) -> FakeModels:
        models = self.server.setup.models
        assert isinstance(models, FakeModels)
        return models

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.client.server.port}"

    @asynccontextmanager
    async def page(self, ready: bool = True) -> AsyncGenerator[Page]:
        """Open a page's WebSocket, and wait until it is ready."""
        async with self.client.ws_connect(f"/stream?token={self.server.access.token}", origin=self.origin) as socket:
            page = Page(socket)
            if ready:
                await page.until("ready")
            yield page


@asynccontextmanager
async def served(setup: Setup | None = None, limits: Limits | None = None, **options: Any) -> AsyncGenerator[Served]:
    """Serve for the time of a block, on any free port."""
    limits = limits or Limits(close_seconds=0.5)
    server = LiveServer(setup or studio_setup(), options.pop("access", Access(token=TOKEN)), limits, **options)
    async with TestClient(TestServer(server.application())) as client:
        yield Served(client, server)


def run(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test that waits, for no longer than a minute."""

    async def within_a_minute() -> T:
        return await asyncio.wait_for(test(), 60)

    return asyncio.run(within_a_minute())


def page_folder(folder: Path) -> Path:
    """A page of two files."""
    (folder / "index.html").write_text("<!doctype html><title>Live</title>")
    (folder / "live.mjs").write_text("export {};")
    return folder
