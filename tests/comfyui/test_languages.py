"""Nodes in the languages of ComfyUI's real interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from comfyui.interface import READY, opened
from comfyui.pack import ROOT

if TYPE_CHECKING:
    from comfyui.server import ComfyServer
    from playwright.sync_api import Page

SHOWN = """type => {
    app.graph.clear();
    const node = LiteGraph.createNode(type), options = [];
    app.graph.add(node);
    node.getExtraMenuOptions(app.canvas, options);
    const label = slot => slot.localized_name ?? slot.label ?? slot.name;
    return {
        title: node.title, menu: options.map(option => option?.content),
        widgets: Object.fromEntries((node.widgets ?? []).map(w => [w.name, w.label ?? w.name])),
        inputs: Object.fromEntries((node.inputs ?? []).map(slot => [slot.name, label(slot)])),
        outputs: (node.outputs ?? []).map(label),
    };
}"""
TYPES = ("FOMM_Runner", "FirstOrderMotion_Options", "FOMM_Seg5Chooser", "FirstOrderMotion_Live")


@pytest.fixture(scope="module", params=["comfy", "other_frontend"], ids=["installed", "other"])
def server(request: pytest.FixtureRequest) -> Iterator[ComfyServer]:
    server: ComfyServer = request.getfixturevalue(request.param)
    yield server
    server.set_setting("Comfy.Locale", "en")


def read(language: str, file: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / file).read_text("utf-8"))


@pytest.fixture(scope="module")
def page(server: ComfyServer) -> Iterator[Page]:
    with opened(server) as page:
        yield page


def switch(page: Page, server: ComfyServer, language: str) -> None:
    server.set_setting("Comfy.Locale", language)
    page.goto(server.url)
    page.wait_for_function(READY, timeout=60_000)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ja", "zh-TW", "fr", "en"])
def test_nodes_are_shown_in_the_language(page: Page, server: ComfyServer, language: str) -> None:
    switch(page, server, language)
    nodes, [own] = read(language, "nodeDefs.json"), read(language, "main.json").values()
    for kind in TYPES:
        words, shown = nodes[kind], page.evaluate(SHOWN, kind)
        assert shown["title"] == words["display_name"]
        assert shown["outputs"] == [output["name"] for output in words["outputs"].values()]
        named = {name: words["inputs"][name]["name"] for name in words["inputs"]}
        for name, label in [*shown["inputs"].items(), *shown["widgets"].items()]:
            if name in named:
                assert label == named[name], (kind, name)
        assert named.keys() <= shown["inputs"].keys() | shown["widgets"].keys()
        if kind == "FirstOrderMotion_Live":
            assert shown["widgets"]["open_page"] == own["open_page"]
        if kind == "FOMM_Runner":
            assert own["show_inputs"] in shown["menu"]
