"""Answers of servers, read by a thread of their own: whoever waits for them can stop at any time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Final, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import BaseHandler, Request, build_opener

from ..errors import DownloadError, one_line

HEADERS: Final = {"User-Agent": "ComfyUI-FirstOrderMM", "Accept-Encoding": "identity"}
BLOCK: Final = 2**18  # bytes read at a time
WAITING: Final = 4  # blocks that have come and are not yet taken
TICK: Final = 0.2  # seconds between two looks for a cancel
SLOWEST: Final = 1024  # bytes per second; less is as good as nothing
REFUSALS: Final = (OSError, HTTPException, ValueError, OverflowError)
"""Errors that urllib raises for what a network or a server does, malformed answers and addresses included."""


class SchemeError(DownloadError):
    """Address of a scheme that is not allowed."""


@dataclass(frozen=True, slots=True)
class Head:
    """Beginning of an answer: its status, how many bytes it says will follow, and what of its headers counts.

    `first` is the position in the file of the first byte, as the header Content-Range tells it.
    """

    status: int
    length: int | None = None
    first: int | None = None
    encoding: str = "identity"

    @classmethod
    def of(cls, response: HTTPResponse) -> Head:
        """Read an answer's status and headers."""
        place = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", response.headers.get("Content-Range", ""))
        encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
        return cls(response.status, response.length, int(place[1]) if place else None, encoding)


class HttpStream:
    """Answer to a request for a file from byte `start` on, whose head and body are waited for in bounded steps.

    Nothing is waited for longer than `timeout` seconds, nor is a body that comes more slowly than SLOWEST for so long:
    that, and whatever else goes wrong in the network, is a ConnectionError. Addresses, those of redirects included, of
    other schemes than `schemes` are a SchemeError. `check_cancelled` is called several times a second, and may raise.
    Use it in a `with` block, which is left at once, even if the server has stalled.
    """

    def __init__(
        self, url: str, start: int, schemes: tuple[str, ...], timeout: float, check_cancelled: Callable[[], None]
    ) -> None:
        headers = {**HEADERS, "Range": f"bytes={start}-"} if start else HEADERS
        self._request = Request(url, headers=headers)  # noqa: S310 (the scheme is checked by the guard)
        self._schemes, self._timeout, self._check_cancelled = schemes, timeout, check_cancelled
        self._items: Queue[Head | bytes | Exception | None] = Queue(WAITING)
        self._left = Event()
        self._thread = Thread(target=self._read, name="download", daemon=True)

    def __enter__(self) -> HttpStream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()  # the thread looks at it before its next step; the socket's timeout ends a step

    def head(self) -> Head:
        """Wait for the beginning of the answer."""
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            item = self._next()
            if isinstance(item, Head):
                return item
            if item is None:
                raise ConnectionError("the answer could not be read")
        raise ConnectionError(f"no answer came within {self._timeout:g} seconds")

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it comes in, and b"" now and then while nothing does."""
        began, came = time.monotonic(), 0
        while (item := self._next()) is not None:
            block = item if isinstance(item, bytes) else b""
            came += len(block)
            yield block
            self._check_cancelled()
            elapsed = time.monotonic() - began
            if elapsed >= self._timeout:
                if came < SLOWEST * elapsed:
                    raise ConnectionError(f"only {came} bytes came within {elapsed:.0f} seconds")
                began, came = time.monotonic(), 0

    def _next(self) -> Head | bytes | None:
        """Take what comes next; None at the end, b"" if nothing comes within a moment."""
        try:
            item = self._items.get(timeout=min(TICK, self._timeout))
        except Empty:
            self._check_cancelled()
            return b""
        if isinstance(item, Exception):
            raise item
        return item

    def _read(self) -> None:
        """Put the answer, or what went wrong, into the queue piece by piece."""
        try:
            with build_opener(_SchemeGuard(self._schemes)).open(self._request, timeout=self._timeout) as opened:
                response = cast(HTTPResponse, opened)
                self._put(Head.of(response))
                while (block := response.read1(BLOCK)) and self._put(block):
                    pass
        except HTTPError as error:
            error.close()
            self._put(Head(error.code))
        except SchemeError as error:
            self._put(error)
        except REFUSALS as error:
            self._put(ConnectionError(one_line(str(error) or type(error).__name__)[:160]))
        finally:
            self._put(None)

    def _put(self, item: Head | bytes | Exception | None) -> bool:
        """Hand something over; False if nobody waits for it any more."""
        while not self._left.is_set():
            try:
                self._items.put(item, timeout=TICK)
            except Full:
                continue
            return True
        return False


class _SchemeGuard(BaseHandler):
    """Handler that refuses every address, redirects included, whose scheme is not allowed."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def default_open(self, req: Request) -> None:
        """Check a request before any handler connects; urllib calls this by its name."""
        check_scheme(req.full_url, self.schemes)


def check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    """Raise SchemeError for an address of another scheme."""
    scheme = urlsplit(url).scheme
    if scheme not in schemes:
        raise SchemeError(
            f"{one_line(url)[:200]} is not downloaded: its scheme is {scheme!r}, and only {', '.join(schemes)} is safe."
        )
