"""Headless Chromium with a made-up camera, for tests of the live page; they are skipped where it is missing."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")
ALLOWED = "--use-fake-ui-for-media-stream"
DEVICE = "--use-fake-device-for-media-stream"
PATIENCE = 90  # seconds, on a busy machine


@contextmanager
def browser_driver() -> Iterator[Playwright]:
    """Start what steers browsers; the test is skipped where it, or the browser, is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver: Playwright, *flags: str) -> Iterator[Browser]:
    """Run the browser for as long as the block lasts."""
    browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


def camera(video: Path) -> tuple[str, ...]:
    """Flags for a camera that shows a y4m video over and over, and that may be used."""
    return DEVICE, f"--use-file-for-fake-video-capture={video}", ALLOWED


def write_y4m(frames: list[NDArray[np.uint8]], path: Path, rate: int = 24) -> Path:
    """Write pictures (H, W, 3) as the raw video that Chromium's made-up camera plays."""
    height, width = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            planes = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
            file.write(b"FRAME\n" + planes.to_ndarray().tobytes())
    return path


def until(page: Page, script: str, seconds: float = PATIENCE) -> Any:
    """Wait until a script gives something that counts as true, and return it.

    The page's policy forbids what playwright's own waiting does in it.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := page.evaluate(script):
            return found
        page.wait_for_timeout(30)
    said = page.inner_text("#status"), page.inner_text("#alert")
    raise AssertionError(f"{script} stayed untrue for {seconds} s; the page says {said}")


def eventually(page: Page, check: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until a check outside the page holds; False where it never does."""
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        page.wait_for_timeout(30)
    return check()


def until_said(page: Page, text: str, where: str = "status") -> str:
    """Wait until the page says something, as a message or as an alert."""
    until(page, f"document.getElementById({where!r}).textContent.includes({text!r})")
    return page.inner_text(f"#{where}")


def until_drawn(page: Page, count: int = 1) -> None:
    """Wait until so many frames came back."""
    until(page, f"Number(document.getElementById('result').dataset.number) >= {count}")


def shown(page: Page) -> NDArray[np.uint8]:
    """Read the picture that the page shows (H, W, 3)."""
    return _decoded(page.evaluate("document.getElementById('result').toDataURL('image/png')"))


KEEP_FIRST = """
for (const name of ["putImageData", "drawImage"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) {
        draw.apply(this, given);
        if (this.canvas.id === "result") {
            (globalThis.results ??= []).length < 400 && results.push(this.canvas.toDataURL("image/png"));
        }
    };
}
"""
"""Script that keeps all pictures that were shown, in `results`."""


def results(page: Page, count: int) -> list[NDArray[np.uint8]]:
    """Read the first pictures that were shown, where `KEEP_FIRST` was run before the page."""
    until(page, f"(globalThis.results ?? []).length >= {count}")
    return [_decoded(address) for address in page.evaluate(f"results.slice(0, {count})")]


def _decoded(address: str) -> NDArray[np.uint8]:
    """Decode a picture that was written into an address."""
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return np.array(picture.convert("RGB"))


def saved(page: Page, action: Any) -> Path:
    """Do something that saves a file, and return where it is."""
    with page.expect_download(timeout=1000 * PATIENCE) as download:
        action()
    path = Path(str(download.value.path()))
    return path.rename(path.with_name(download.value.suggested_filename))
