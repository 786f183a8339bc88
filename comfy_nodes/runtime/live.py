"""Live under ComfyUI's own server: its page, the pictures and weights of Live nodes, and turns taken with prompts."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final, Protocol, cast

from aiohttp import web
from comfy.cli_args import args
from torch import Tensor

from ...animation.engine import Engine
from ...animation.faces.detectors import load_face_finder
from ...animation.faces.square import DEFAULT_RATIO
from ...animation.find_model import DEFAULT_MODEL, find_model
from ...animation.framing import FinderOnDemand
from ...animation.options import AnimateOptions
from ...animation.predictor import Predictor
from ...core.errors import InputError, quote
from ...core.types import LoadOptions
from ...core.weights.find import WeightFiles
from ...live.access import Access
from ...live.pictures import Pictures
from ...live.server import LiveServer, address_of
from ...live.studio import Entry, Setup
from . import models
from .server import running_server

log = logging.getLogger(__name__)

PATH: Final = "/first_order_motion/live"
BUSY: Final = "ComfyUI is working on a prompt; live goes on after it."
PATIENCE: Final = 1.0  # seconds that loading waits for ComfyUI's queue
OPTIONS: Final = AnimateOptions(antialias=True)


class PromptQueue(Protocol):
    """Queue of prompts of ComfyUI: no prompt begins or ends while `mutex` is held."""

    mutex: RLock
    queue: Sequence[object]
    currently_running: dict[int, object]


class Server(Protocol):
    """Server of ComfyUI, as far as it is used."""

    app: web.Application
    prompt_queue: PromptQueue
    address: str
    port: int


class PromptGate:
    """Gate that is shut while ComfyUI works on prompts."""

    def __init__(self, queue: PromptQueue) -> None:
        self._queue = queue

    def reason(self) -> str | None:
        """Say that prompts go first, where there are any."""
        return BUSY if self._queue.currently_running or self._queue.queue else None

    @contextmanager
    def shut_to_prompts(self) -> Generator[None]:
        """Let no prompt begin in a block. Raises InputError where one is at work."""
        if not self._queue.mutex.acquire(timeout=PATIENCE):
            raise InputError(BUSY)
        try:
            if self.reason() is not None:
                raise InputError(BUSY)
            yield
        finally:
            self._queue.mutex.release()


class OfferedModels:
    """Models that Live nodes offer, the newest first, and the bundled one; moved by ComfyUI's model management."""

    def __init__(self, gate: PromptGate) -> None:
        self._gate = gate
        self._offered: dict[str, WeightFiles] = {DEFAULT_MODEL: find_model(DEFAULT_MODEL)[0]}
        self._loaded: Predictor | None = None

    def offer(self, name: str, files: WeightFiles) -> None:
        """Put a model first in the list."""
        others = {other: one for other, one in self._offered.items() if other != name}
        self._offered = {name: files} | others

    def listed(self) -> Sequence[Entry]:
        """List them."""
        return [Entry(name, name) for name in self._offered]

    def load(self, identity: str) -> Predictor:
        """Load one of them on ComfyUI's device: its file while prompts go on, and the rest between two of them."""
        files = self._offered.get(identity)
        if files is None:
            raise InputError(f"is {quote(identity)}; choose one of: {', '.join(self._offered)}.", "model")
        models.read_animator(files, LoadOptions(), Engine())
        with self._gate.shut_to_prompts():
            self._loaded = models.get_predictor(files, LoadOptions(), Engine(), OPTIONS)
        return self._loaded

    @contextmanager
    def in_use(self) -> Generator[bool]:
        """Keep ComfyUI from unloading what was loaded for a block, which is told whether it still is on its device."""
        with models.in_use:
            yield self._loaded is not None and models.is_on_device(self._loaded.animator)

    def free(self) -> None:
        """Leave what was loaded to ComfyUI, which unloads it when it needs the memory."""
        self._loaded = None


class LiveInComfy:
    """Application of live within ComfyUI's, and what nodes give it."""

    def __init__(self, server: Server) -> None:
        gate = PromptGate(server.prompt_queue)
        finder = FinderOnDemand(load_face_finder)
        self._comfy, self._models, self._pictures = server, OfferedModels(gate), Pictures(finder, DEFAULT_RATIO)
        setup = Setup(self._models, self._pictures, finder, options=OPTIONS)
        self.server = LiveServer(setup, Access(host=None), gate=gate)

    def offer(self, picture: Tensor, model: str, files: WeightFiles) -> tuple[str, str]:
        """Have the page animate an IMAGE by a model: the page's path, and its whole address on this machine."""
        self._pictures.replace_all(picture[:1].cpu(), "picture of the node")
        self._models.offer(model, files)
        host = self._comfy.address.split(",")[0]
        address = address_of(host, self._comfy.port, self.server.access.token, f"{PATH}/")
        if args.tls_keyfile:
            address = address.replace("http:", "https:", 1)
        return f"{PATH}/?token={self.server.access.token}", address


_mounted: list[LiveInComfy] = []  # one, or none where ComfyUI has no server


def mount() -> None:
    """Put live under ComfyUI's server, if there is one that has not begun to listen."""
    server = cast("Server | None", running_server())
    if server is None or _mounted:
        return
    live = LiveInComfy(server)
    server.app.router.add_get(PATH, _to_the_page)
    server.app.add_subapp(f"{PATH}/", live.server.application())
    _mounted.append(live)


def offer(picture: Tensor, model: str, files: WeightFiles) -> tuple[str, str]:
    """Have the page animate an IMAGE by a model; see `LiveInComfy.offer`. Raises InputError without a server."""
    if not _mounted:
        raise InputError("Live needs ComfyUI's server, which is not there. Start ComfyUI by its main.py.")
    return _mounted[0].offer(picture, model, files)


async def _to_the_page(request: web.Request) -> Any:
    raise web.HTTPFound(request.rel_url.with_path(f"{PATH}/"))
