"""The pack in ComfyUI's real interface, in a headless Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from comfyui.checkpoints import FRAMES, clip_facts
from comfyui.pack import FOLDER, ROOT
from comfyui.workflows import Workflow, input_files, missing_types, read_workflow, to_prompt

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
READY = "window.app?.graph && Object.keys(LiteGraph.registered_node_types).length > 50"
NODES = """() => app.graph.nodes.map(n => ({
    id: n.id, type: n.type, known: n.type in LiteGraph.registered_node_types,
    widgets: (n.widgets ?? []).map(w => w.value),
}))"""
OVERLAPS = """() => {
    const boxes = app.graph.nodes.map(n => [n.type, ...n.boundingRect]);
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
        a[1] < b[1] + b[3] && b[1] < a[1] + a[3] && a[2] < b[2] + b[4] && b[2] < a[2] + a[4]
    ).map(b => [a[0], b[0]]));
}"""
DIALOG = ".p-dialog:visible"
OURS = sorted(ROOT.glob("workflows/*.json"))
EARLIER = sorted(Path(os.environ.get("FUOUM_PATH", "nowhere")).glob("workflows/*.json"))


@pytest.fixture(scope="module")
def page(comfy: ComfyServer) -> Iterator[Page]:
    """The interface, opened once, past its tutorial; nothing outside this machine is asked."""
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


def load(page: Page, workflow: Workflow) -> list[dict[str, Any]]:
    """Open a workflow in place of the one before; its nodes as they then stand."""
    page.keyboard.press("Escape")  # a dialog the last workflow may have left
    page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    page.wait_for_timeout(500)  # dialogs come a moment later
    return page.evaluate(NODES)


def skip_without_nodes(file: Path, absent: set[str]) -> None:
    """Skip a file for want of VideoHelperSuite, or of a node of the earlier pack that is not written yet.

    FOMM.json of the earlier pack may want for VideoHelperSuite only.
    """
    excused = {name for name in absent if name.startswith("VHS_") or (file in EARLIER and name != "FOMM_Runner")}
    if excused:
        pytest.skip(f"needs nodes that are not here: {', '.join(sorted(excused))}")


@pytest.mark.parametrize("file", [*OURS, *EARLIER], ids=lambda file: "-".join(file.parts[-3:]))
def test_a_workflow_opens_whole(page: Page, comfy: ComfyServer, tmp_path: Path, file: Path) -> None:
    workflow = read_workflow(file)
    skip_without_nodes(file, missing_types(workflow, comfy.object_info()))
    shown = {node["id"]: node for node in load(page, workflow)}
    page.screenshot(path=tmp_path / "workflow.png")
    assert set(shown) == {node["id"] for node in workflow["nodes"]}
    assert [node["type"] for node in shown.values() if not node["known"]] == []
    assert page.get_by_text("Some Nodes Are Missing").count() == 0
    assert page.locator(DIALOG).count() == 0
    assert file not in OURS or page.evaluate(OVERLAPS) == []
    for node in workflow["nodes"]:
        stored = node.get("widgets_values")
        if isinstance(stored, list):  # VideoHelperSuite keeps a dictionary and converts old ones
            values = shown[node["id"]]["widgets"]
            assert values[: len(stored)] == stored[: len(values)], f"widgets of node {node['id']}, {node['type']}"
    links = page.evaluate("() => app.graph.serialize().links")
    assert sorted(link[:4] for link in links) == sorted(link[:4] for link in workflow["links"])  # target slots move
    prompt = page.evaluate("() => app.graphToPrompt()")["output"]
    assert all(node["class_type"] for node in prompt.values())


def test_the_interface_sends_what_the_file_says(page: Page, comfy: ComfyServer) -> None:
    """And, to our node, the defaults of inputs that are newer than the file."""
    workflow, info = read_workflow(ROOT / "workflows" / "FOMM.json"), comfy.object_info()
    load(page, workflow)
    sent = page.evaluate("() => app.graphToPrompt()")["output"]
    stored = to_prompt(workflow, info)
    assert set(sent) == set(stored)
    for node_id, node in sent.items():
        assert node["inputs"] == node["inputs"] | stored[node_id]["inputs"]
    [ours] = [node_id for node_id, node in sent.items() if node["class_type"] == "FOMM_Runner"]
    newer = set(sent[ours]["inputs"]) - set(stored[ours]["inputs"])
    optional = info["FOMM_Runner"]["input"]["optional"]
    assert {name: sent[ours]["inputs"][name] for name in newer} == {
        name: optional[name][1]["default"] for name in newer
    }


def test_what_the_interface_sends_runs(page: Page, comfy: ComfyServer, media: Path) -> None:
    workflow = read_workflow(ROOT / "workflows" / "FOMM.json")
    for name, suffix in input_files(workflow).items():
        comfy.put_input(media / {".png": "source.png", ".mp4": "driving.mp4"}[suffix], name)
    load(page, workflow)
    run = comfy.run(page.evaluate("() => app.graphToPrompt()")["output"])
    assert run.ending == "execution_success", run.error
    [output] = run.history["outputs"]
    assert clip_facts(run.files(output)[0])[0] == FRAMES


def test_the_template_browser_lists_our_examples(comfy: ComfyServer) -> None:
    listed = comfy.get("/api/workflow_templates").json().get(FOLDER, [])
    examples = sorted(path.stem for path in ROOT.glob("workflows/*.json"))
    assert examples
    assert sorted(listed) == examples
    for name in examples:
        for suffix, kind in ((".json", "application/json"), (".jpg", "image/jpeg")):
            answer = comfy.get(f"/api/workflow_templates/{FOLDER}/{name}{suffix}")
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
