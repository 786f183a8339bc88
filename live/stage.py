"""Turns of the pages at the one studio: its work in threads of its own, its model freed when nobody is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from ..core.errors import FirstOrderError
from .limits import Limits
from .studio import Studio

log = logging.getLogger(__name__)

T = TypeVar("T")


class Gate(Protocol):
    """Other work on the same device, for which live steps aside."""

    def reason(self) -> str | None:
        """Say in a sentence why live is to wait; None where it need not."""
        ...


class Stage:
    """Place where one page at a time works with the studio, and others wait in the order in which they came."""

    def __init__(self, studio: Studio, limits: Limits, gate: Gate | None = None) -> None:
        self.studio, self.limits, self.gate = studio, limits, gate
        self.waiting = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "live")
        self._painters = ThreadPoolExecutor(studio.setup.painters, "live-painter")
        self._release: asyncio.Task[None] | None = None

    @property
    def is_taken(self) -> bool:
        """Tell whether a page is at work, or one waits to be."""
        return self._turn.locked() or self.waiting > 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn, and have the studio until the end of the block."""
        self.waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self.waiting -= 1
        try:
            if self._release is not None:
                self._release.cancel()
            yield
        finally:
            self._turn.release()
            if not self.waiting:
                self._release = asyncio.create_task(self._close_later())

    async def do(self, work: Callable[[], T]) -> T:
        """Do work with the studio in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def paint(self, work: Callable[[], T]) -> T:
        """Do a painter's work in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._painters, work)

    async def end(self) -> None:
        """Close the studio for good; what is begun is finished first."""
        if self._release is not None:
            self._release.cancel()
        await self.do(self.studio.end)
        self._painters.shutdown(cancel_futures=True)
        self._thread.shutdown(cancel_futures=True)

    async def _close_later(self) -> None:
        await asyncio.sleep(self.limits.release_seconds)
        try:
            await self.do(self.studio.close)
        except FirstOrderError as error:
            log.warning("%s", error)
        log.info("No page is open: the model was freed.")
