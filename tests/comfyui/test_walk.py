"""Every template walked as a new user would: chosen in the dialog of templates, looked at, and run by the button."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from comfyui.interface import open_template, opened, press_run
from comfyui.pack import MODEL_FOLDER, ROOT
from comfyui.workflows import Workflow, missing_types, read_workflow

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

TEMPLATES = sorted(ROOT.glob("workflows/*.json"))
BUNDLED = [file for file in TEMPLATES if file.stem < "11"]
WANTING = [file for file in TEMPLATES if file.stem >= "11"]

OUTSIDE = """() => {
    const {left, top, right, bottom} = document.querySelector("#graph-canvas").getBoundingClientRect();
    const bar = document.querySelector(".side-tool-bar-container")?.getBoundingClientRect().right ?? 0;
    const {scale, offset: [x, y]} = app.canvas.ds;
    return app.graph.nodes.filter(({boundingRect: [nx, ny, width, height]}) =>
        left + (nx + x) * scale < bar || top + (ny + y) * scale < 0 ||
        left + (nx + x + width) * scale > right || top + (ny + y + height) * scale > bottom
    ).map(node => node.type);
}"""
BLAMED = """() => app.graph.nodes.flatMap(node =>
    (node.inputs ?? []).filter(slot => slot.hasErrors).map(slot => [node.type, slot.name]))"""
LIVE = """model => {
    app.graph.clear();
    const [sample, live] = ["FirstOrderMotion_Sample", "FirstOrderMotion_Live"].map(type => LiteGraph.createNode(type));
    app.graph.add(sample);
    app.graph.add(live);
    sample.connect(0, live, 0);
    live.widgets.find(widget => widget.name === "model").value = model;
}"""
SHOWN = """() => ({
    pictures: app.graph.nodes.filter(n => n.type === "PreviewImage").map(n => n.imgs?.length ?? 0),
    videos: [...document.querySelectorAll("video")].filter(v => v.src.includes("type=output") && v.readyState > 0).length,
})"""


@pytest.fixture(scope="module", params=["new_user", "other_frontend"], ids=["installed", "other"])
def server(request: pytest.FixtureRequest) -> ComfyServer:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def page(server: ComfyServer) -> Iterator[Page]:
    with opened(server) as page:
        yield page


def opened_whole(page: Page, file: Path, folder: Path) -> Workflow:
    """Open a template, and see that no node lies outside the screen."""
    workflow = read_workflow(file)
    open_template(page, file.stem, len(workflow["nodes"]))
    page.screenshot(path=folder / "opened.png")
    assert page.evaluate(OUTSIDE) == []
    return workflow


@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: file.stem)
def test_a_template_of_the_bundled_model_runs_and_shows_its_result(page: Page, tmp_path: Path, file: Path) -> None:
    types = [node["type"] for node in opened_whole(page, file, tmp_path)["nodes"]]
    ending = press_run(page)
    page.screenshot(path=tmp_path / "run.png")
    assert ending == "execution_success"
    shown: dict[str, Any] = page.evaluate(SHOWN)
    assert shown["videos"] == types.count("SaveVideo")
    assert len(shown["pictures"]) == types.count("PreviewImage") and all(shown["pictures"])


@pytest.mark.parametrize("file", WANTING, ids=lambda file: file.stem)
def test_other_templates_say_what_is_missing(
    page: Page, server: ComfyServer, tmp_path: Path, file: Path
) -> None:
    absent = missing_types(read_workflow(file), server.object_info())
    if absent:
        pytest.skip(f"needs VideoHelperSuite: VHS_PATH is not set ({', '.join(absent)})")
    opened_whole(page, file, tmp_path)
    ending = press_run(page)
    page.screenshot(path=tmp_path / "run.png")
    assert ending == ""
    text = page.evaluate("document.body.innerText")
    assert f"missing; put it into {server.base / 'models' / MODEL_FOLDER}. Get" in text.replace("them", "it")
    assert "Exception" not in text
    [(node, name)] = page.evaluate(BLAMED)
    assert node.endswith(("_Runner", "_Partswap")) and name == "model_name"
    page.keyboard.press("Escape")


def test_a_node_at_the_end_says_it_in_one_place_too(page: Page) -> None:
    page.evaluate(LIVE, "vox (fomm)")
    assert press_run(page) == ""
    assert page.evaluate("document.body.innerText").count("vox-cpk.pth.tar is missing") == 1
    assert page.evaluate(BLAMED) == [["FirstOrderMotion_Live", "model"]]
    page.keyboard.press("Escape")
