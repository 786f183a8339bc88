"""Server on this machine that answers as it is told to, for downloads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from first_order_motion.core.weights.catalog import PublishedWeights

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
MOST_REQUESTS = 10

Step = Callable[[BaseHTTPRequestHandler, int], None]


@dataclass
class Server:
    """`steps` say how to answer each request in turn; the last one answers all further ones."""

    url: str
    steps: list[Step] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = -1, content_range: str = ""
) -> None:
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(len(body) if length < 0 else length))
    if content_range:
        handler.send_header("Content-Range", content_range)
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler: BaseHTTPRequestHandler, start: int) -> None:
    """A server that knows no ranges."""
    send(handler, 200, CONTENT)


def ranged(handler: BaseHTTPRequestHandler, start: int) -> None:
    """A server that continues where it is asked to."""
    if start >= len(CONTENT):
        send(handler, 416, b"", content_range=f"bytes */{len(CONTENT)}")
    elif start:
        send(handler, 206, CONTENT[start:], content_range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    else:
        whole(handler, start)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            described.starts.append(start)
            if len(described.starts) > MOST_REQUESTS:
                self.send_error(403)
                return
            with suppress(ConnectionError):  # the other side has gone
                described.steps[min(len(described.starts), len(described.steps)) - 1](self, start)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    described = Server(f"http://127.0.0.1:{http.server_address[1]}/vox-cpk.pth.tar")
    thread.start()
    yield described
    http.shutdown()
    http.server_close()
    thread.join(5)


def entry(
    url: str | None, sha256: str | None = DIGEST, size: int | None = len(CONTENT), name: str = "vox.pth"
) -> PublishedWeights:
    return PublishedWeights(
        name="vox", files=(name,), sha256=sha256, size=size, url=url, page="https://example.org/page", paper="A paper"
    )
