"""Every template walked as a new user would: chosen in the dialog of templates, looked at, and run by the button."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from comfyui.interface import MINUTE, open_interface, open_template, press_run
from comfyui.pack import MODEL_FOLDER, ROOT
from comfyui.workflows import Workflow, missing_types, read_workflow
from support.browser import browser_driver, chromium

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

TEMPLATES = sorted(ROOT.glob("workflows/*.json"))
BUNDLED = [file for file in TEMPLATES if file.stem < "11"]
WANTING = [file for file in TEMPLATES if file.stem >= "11"]
ELEMENTS = "Comfy.VueNodes.Enabled"

OUTSIDE = """() => {
    const {left, top, right, bottom} = document.querySelector("#graph-canvas").getBoundingClientRect();
    const bar = document.querySelector(".side-tool-bar-container")?.getBoundingClientRect().right ?? 0;
    const tabs = [...document.querySelectorAll(".workflow-tab")].map(tab => tab.getBoundingClientRect().bottom);
    const strip = Math.max(0, ...tabs);
    const {scale, offset: [x, y]} = app.canvas.ds;
    return app.graph.nodes.filter(({boundingRect: [nx, ny, width, height]}) =>
        left + (nx + x) * scale < bar || top + (ny + y) * scale < strip ||
        left + (nx + x + width) * scale > right || top + (ny + y + height) * scale > bottom
    ).map(node => node.type);
}"""
COVERED = """() => {
    const boxes = app.graph.nodes.map(({id, type}) =>
        [type, document.querySelector(`[data-node-id="${id}"]`).getBoundingClientRect()]);
    return boxes.flatMap(([type, a], i) => boxes.slice(i + 1)
        .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        .map(([other]) => [type, other]));
}"""
BLAMED = """() => app.graph.nodes.flatMap(node =>
    (node.inputs ?? []).filter(slot => slot.hasErrors).map(slot => [node.type, slot.name]))"""
SAID = """() => [...document.querySelectorAll("[data-testid=toast], .p-dialog .comfy-error-report")]
    .filter(({scrollHeight, clientHeight}) => scrollHeight <= clientHeight).map(({innerText}) => innerText)"""
SHOWN = """([videos, pictures]) => {
    const played = [...document.querySelectorAll("video")]
        .filter(({src, readyState}) => src.includes("type=output") && readyState > 0);
    const seen = app.graph.nodes.filter(({type, id, imgs}) => type === "PreviewImage" &&
        (imgs?.length || document.querySelector(`[data-node-id="${id}"] img`)));
    return played.length === videos && seen.length === pictures;
}"""
LIVE = """model => {
    app.graph.clear();
    const [sample, live] = ["FirstOrderMotion_Sample", "FirstOrderMotion_Live"].map(type => LiteGraph.createNode(type));
    app.graph.add(sample);
    app.graph.add(live);
    sample.connect(0, live, 0);
    live.widgets.find(widget => widget.name === "model").value = model;
}"""


@pytest.fixture(scope="module", params=["new_user", "other_frontend"], ids=["installed", "other"])
def server(request: pytest.FixtureRequest) -> ComfyServer:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_driver() as driver, chromium(driver) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser, server: ComfyServer) -> Page:
    return open_interface(browser, server)


@pytest.fixture(scope="module")
def elements(browser: Browser, other_frontend: ComfyServer) -> Iterator[Page]:
    """The other interface with nodes that are elements of the page (Nodes 2.0)."""
    other_frontend.set_setting(ELEMENTS, True)
    page = open_interface(browser, other_frontend)
    if not page.evaluate("LiteGraph.vueNodesMode"):
        pytest.skip("the frontend of FRONTEND_PATH has no Nodes 2.0")
    yield page
    other_frontend.set_setting(ELEMENTS, False)


def skip_without_suite(file: Path, server: ComfyServer) -> None:
    absent = missing_types(read_workflow(file), server.object_info())
    if absent:
        pytest.skip(f"needs VideoHelperSuite: VHS_PATH is not set ({', '.join(absent)})")


def open_and_look(page: Page, file: Path, folder: Path) -> Workflow:
    open_template(page, file.stem)
    page.screenshot(path=folder / "opened.png")
    return read_workflow(file)


def check_result(page: Page, workflow: Workflow, folder: Path) -> None:
    """Run, and see every result in its node."""
    types = [node["type"] for node in workflow["nodes"]]
    try:
        assert press_run(page) == "execution_success"
        page.wait_for_function(SHOWN, arg=[types.count("SaveVideo"), types.count("PreviewImage")], timeout=MINUTE)
    finally:
        page.screenshot(path=folder / "run.png")


def check_refusal(page: Page, server: ComfyServer, folder: Path) -> None:
    """Run, and see what is missing, where it belongs, and the menu marked that chose it."""
    ending = press_run(page)
    page.screenshot(path=folder / "run.png")
    assert ending == ""
    folder_of_models = re.escape(str(server.base / "models" / MODEL_FOLDER))
    sentence = re.compile(rf"\S+ (is|are) missing; put (it|them) into {folder_of_models}\. Get \S.* from https://\S+")
    [said] = page.evaluate(SAID)
    assert sentence.search(said)
    assert "Exception" not in page.inner_text("body")
    [(node, name)] = page.evaluate(BLAMED)
    assert node.endswith(("_Runner", "_Partswap")) and name == "model_name"
    look_at_details(page, sentence)
    page.keyboard.press("Escape")


def look_at_details(page: Page, sentence: re.Pattern[str]) -> None:
    """Open the details of newer interfaces, and see the sentence again; close them."""
    details = page.get_by_role("button", name="View details")
    if not details.count():
        return
    details.click()
    page.get_by_role("button", name=re.compile("^Info for .* - model_name")).click()
    panel = page.locator("[id^=execution-item-detail]")
    panel.wait_for()
    assert sentence.search(panel.inner_text())
    page.get_by_role("button", name="Toggle properties panel").click()


@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: file.stem)
def test_a_template_of_the_bundled_model_runs_and_shows_its_result(page: Page, tmp_path: Path, file: Path) -> None:
    workflow = open_and_look(page, file, tmp_path)
    assert page.evaluate(OUTSIDE) == []
    check_result(page, workflow, tmp_path)


@pytest.mark.parametrize("file", WANTING, ids=lambda file: file.stem)
def test_other_templates_say_what_is_missing(page: Page, server: ComfyServer, tmp_path: Path, file: Path) -> None:
    skip_without_suite(file, server)
    open_and_look(page, file, tmp_path)
    assert page.evaluate(OUTSIDE) == []
    check_refusal(page, server, tmp_path)


def test_a_node_at_the_end_says_it_in_one_place_too(page: Page) -> None:
    page.evaluate(LIVE, "vox (fomm)")
    for _ in range(2):
        assert press_run(page) == ""
        page.wait_for_function(f"({SAID})().length === 1")
        [said] = page.evaluate(SAID)
        assert said.count("vox-cpk.pth.tar is missing") == 1
        assert page.evaluate(BLAMED) == [["FirstOrderMotion_Live", "model"]]
        page.keyboard.press("Escape")


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_nodes_that_are_elements_cover_none_of_each_other(
    elements: Page, other_frontend: ComfyServer, tmp_path: Path, file: Path
) -> None:
    skip_without_suite(file, other_frontend)
    open_and_look(elements, file, tmp_path)
    assert elements.evaluate(COVERED) == []


@pytest.mark.parametrize("file", [*BUNDLED[:2], WANTING[0]], ids=lambda file: file.stem)
def test_nodes_that_are_elements_run(elements: Page, other_frontend: ComfyServer, tmp_path: Path, file: Path) -> None:
    workflow = open_and_look(elements, file, tmp_path)
    if file in BUNDLED:
        check_result(elements, workflow, tmp_path)
    else:
        check_refusal(elements, other_frontend, tmp_path)
