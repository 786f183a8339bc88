"""Servers for the live page: the pack's own, and one of files for the site that is written."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.samples import DRIVING, sample_pictures

from .browser import until_drawn, until_said, write_y4m
from .paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

READY = "Ready. Start the camera"


def opened(page: Page, address: str) -> Page:
    """Open the live page at an address, and wait until it is ready."""
    page.goto(address)
    until_said(page, READY)
    return page


def started(page: Page, address: str) -> Page:
    """Open the live page, start the camera, and wait for the first picture."""
    opened(page, address).click("#camera")
    until_drawn(page)
    return page


class Handler(SimpleHTTPRequestHandler):
    """Sends files with the headers that let a page share memory between threads."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        with suppress(ConnectionError):  # the page was closed meanwhile
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a site with those headers, and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/index.html"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def live_server(*names: str, boxes: Path | None = None) -> Iterator[tuple[str, int]]:
    """Run `animate.py live` with the bundled model and samples; yields the page's address and the process's number."""
    pictures = [str(sample_pictures()[name]) for name in names or ("face", "fox")]
    command = [sys.executable, str(ROOT / "animate.py"), "live", *pictures, "--model", "drawn-faces", "--no-browser"]
    command += [] if boxes is None else ["--boxes", str(boxes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            found = (re.search(r"http://\S+token=\S+", line) for line in server.stdout)
            yield next(match[0] for match in found if match), server.pid
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def sample_camera(folder: Path) -> Path:
    """Write the sample video as a made-up camera's pictures."""
    frames = [np.asarray(chunk[0].numpy()) for chunk in VideoClip(DRIVING).chunks(1)]
    return write_y4m(frames, folder / "driving.y4m")
