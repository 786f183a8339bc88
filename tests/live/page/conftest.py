"""A browser with a made-up camera, shared by the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.browser import browser_driver, camera, chromium
from support.live_page import sample_camera

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample video as a camera's pictures."""
    return sample_camera(tmp_path_factory.mktemp("camera"))


@pytest.fixture(scope="module")  # no longer: its event loop would be in the way of other tests' own
def driver() -> Iterator[Playwright]:
    with browser_driver() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(driver: Playwright, camera_file: Path) -> Iterator[Browser]:
    with chromium(driver, *camera(camera_file)) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; scripts' errors fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []
