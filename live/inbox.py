"""Box for what a page has sent and the studio has not yet begun: the newest frame alone, and settings joined."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import cast

from ..core.errors import InputError, quote
from .frames import Frame
from .limits import Bucket
from .settings import LiveSettings
from .studio import CHOICES

KINDS = ("set", "recentre", "bye")


class Inbox:
    """Messages of one page, between the one who reads them and the one who works on them."""

    def __init__(self, messages_per_second: int) -> None:
        self.dropped = 0  # frames that were never begun
        self.said_goodbye = False
        self._bucket = Bucket(messages_per_second)
        self._frame: Frame | None = None
        self._changes: dict[str, object] = {}
        self._recentre = False
        self._news = asyncio.Event()

    def allowance(self) -> float:
        """Count one more message: 0 where it is allowed, else the seconds until one is."""
        return self._bucket.take()

    def put_frame(self, message: bytes) -> None:
        """Take a frame in the place of one that is still here. Raises InputError for what is none."""
        frame = Frame.parse(message)
        self.dropped += self._frame is not None
        self._frame = frame
        self._news.set()

    def put_text(self, text: str) -> None:
        """Take a message of words. Raises InputError for one that is not understood, of which nothing is taken."""
        message = _parsed(text)
        kind = message.pop("type", None)
        if kind not in KINDS:
            raise InputError(f"A message of the type {quote(kind)} came; one of {', '.join(KINDS)} was wanted.")
        if kind == "set":
            LiveSettings().changed({name: value for name, value in message.items() if name not in CHOICES})
            self._changes.update(message)
        self._recentre |= kind == "recentre"
        self.said_goodbye |= kind == "bye"
        self._news.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until something is here, for so many seconds at most; False where nothing came."""
        news = asyncio.ensure_future(self._news.wait())
        try:
            return bool((await asyncio.wait([news], timeout=seconds))[0])  # `wait_for` can lose that it is cancelled
        finally:
            news.cancel()

    def wake(self) -> None:
        """Have who waits look around."""
        self._news.set()

    def take_wishes(self) -> tuple[Mapping[str, object], bool]:
        """Take the settings that are to change, and whether the next frame is what motion is to be measured from."""
        wishes = self._changes, self._recentre
        self._changes, self._recentre = {}, False
        return wishes

    def take_frame(self) -> Frame | None:
        """Take the newest frame; with it the box is empty."""
        frame, self._frame = self._frame, None
        self._news.clear()
        return frame


def _parsed(text: str) -> dict[str, object]:
    try:
        message: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("A message came that is no JSON. Reload the page.") from error
    if not isinstance(message, dict):
        raise InputError(f"A message came that is {quote(message)}; an object was wanted. Reload the page.")
    return cast("dict[str, object]", message)
