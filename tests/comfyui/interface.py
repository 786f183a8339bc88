"""ComfyUI's interface in a headless Chromium."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
READY = "window.app?.graph && Object.keys(LiteGraph.registered_node_types).length > 50"


@contextmanager
def opened(comfy: ComfyServer) -> Generator[Page]:
    """The interface, opened past its tutorial; nothing outside this machine is asked."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there")
    comfy.set_setting("Comfy.TutorialCompleted", True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.route(lambda url: not url.startswith(comfy.url), lambda route: route.abort())
        page.goto(comfy.url)
        page.wait_for_function(READY, timeout=60_000)
        yield page
        browser.close()
