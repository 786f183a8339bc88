"""ComfyUI's interface in a headless Chromium: opened, its templates chosen in its own dialog, and run by its button."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comfyui.pack import FOLDER
from support.browser import browser_driver, chromium

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Browser, Page

READY = "window.app?.graph && Object.keys(LiteGraph.registered_node_types).length > 50"
WATCH = """() => {
    window.ending = null;
    const end = ({type}) => { window.ending = type; };
    for (const type of ["execution_success", "execution_error"]) app.api.addEventListener(type, end);
}"""
LOADED = "name => app.extensionManager.workflow.activeWorkflow?.path.includes(name) && app.graph.nodes.length"
REFUSED = "document.querySelector('[data-testid=error-overlay-messages], .p-dialog .comfy-error-report')"
MINUTE = 60_000  # of playwright, which counts milliseconds


@contextmanager
def opened(comfy: ComfyServer) -> Generator[Page]:
    """The interface, opened in a browser of its own."""
    with browser_driver() as driver, chromium(driver) as browser:
        yield open_interface(browser, comfy)


def open_interface(browser: Browser, comfy: ComfyServer) -> Page:
    """Open the interface past its tutorial; nothing outside this machine is asked."""
    comfy.set_setting("Comfy.TutorialCompleted", True)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.route(lambda url: not url.startswith(comfy.url), lambda route: route.abort())
    page.goto(comfy.url)
    page.wait_for_function(READY, timeout=MINUTE)
    page.evaluate(WATCH)
    return page


def open_template(page: Page, name: str) -> None:
    """Choose a template of ours in the dialog of templates."""
    page.evaluate("app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_role("dialog").get_by_text(FOLDER).first.click()
    page.mouse.move(1000, 500)  # over the templates, more of which come as one scrolls
    card = page.get_by_title(name, exact=True).locator("visible=true")
    for _ in range(20):
        if card.count():
            break
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(200)
    card.first.click()
    page.wait_for_function(LOADED, arg=name)
    page.wait_for_timeout(1500)  # previews of what loaders chose are read


def press_run(page: Page) -> str:
    """Press the button Run, and wait until the prompt has ended or was refused; which, and nothing where it was."""
    page.evaluate("window.ending = null")
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.wait_for_function(f"window.ending || {REFUSED}", timeout=5 * MINUTE)
    page.wait_for_timeout(500)  # what is wrong is drawn
    return page.evaluate("window.ending ?? ''")
