"""Workflow files: what they need, and how to turn one into an API prompt without a browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from comfyui.pack import ROOT

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt

Workflow = dict[str, Any]
Info = Mapping[str, dict[str, Any]]

WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
INTERFACE_ONLY = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}
LOADERS = {"LoadImage": ".png", "LoadVideo": ".mp4", "VHS_LoadVideo": ".mp4"}


def read_template(title: str) -> Workflow:
    """The template of a title, which its number comes before."""
    [path] = (ROOT / "workflows").glob(f"[0-9][0-9] {title}.json")
    return read_workflow(path)


def read_workflow(path: Path) -> Workflow:
    return json.loads(path.read_text(encoding="utf-8"))


def missing_types(workflow: Workflow, info: Info) -> set[str]:
    """The node types a workflow uses that neither ComfyUI nor a loaded pack offers."""
    return {node["type"] for node in workflow["nodes"]} - INTERFACE_ONLY - set(info)


def input_files(workflow: Workflow) -> dict[str, str]:
    """File names that loader nodes ask for, each with the suffix of what it should hold."""
    loaders = [node for node in workflow["nodes"] if node["type"] in LOADERS]
    return {file_name(node["widgets_values"]): LOADERS[node["type"]] for node in loaders}


def file_name(values: list[Any] | dict[str, Any]) -> str:
    return values["video"] if isinstance(values, dict) else values[0]


def to_prompt(workflow: Workflow, info: Info) -> dict[str, dict[str, Any]]:
    """The API prompt of a workflow without subgraphs, primitives or muted nodes."""
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    for reroute in (node for node in workflow["nodes"] if node["type"] == "Reroute"):
        for slot in reroute["outputs"]:
            sources |= dict.fromkeys(slot["links"] or [], sources[reroute["inputs"][0]["link"]])
    prompt: dict[str, dict[str, Any]] = {}
    for node in workflow["nodes"]:
        if node["type"] in INTERFACE_ONLY:
            continue
        inputs = widget_values(node, info[node["type"]])
        for slot in node.get("inputs", []):
            if slot.get("link") is not None:
                inputs[slot["name"]] = sources[slot["link"]]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def widget_values(node: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """The stored widget values by input name; a list holds them in the order of the node's schema."""
    values = node.get("widgets_values") or []
    if isinstance(values, dict):
        return {name: value for name, value in values.items() if name != "videopreview"}
    return dict(zip(widget_names(info), values, strict=False))


def widget_names(info: dict[str, Any]) -> list[str]:
    groups = [info["input"].get(kind, {}) for kind in ("required", "optional")]
    return [name for group in groups for name, row in group.items() if is_widget(row)]


def is_widget(row: list[Any]) -> bool:
    """Combo inputs of old-style nodes give their choices where others give a type."""
    forced = len(row) > 1 and row[1].get("forceInput", False)
    return (isinstance(row[0], list) or row[0] in WIDGET_TYPES) and not forced


def refusal(comfy: ComfyServer, prompt: Prompt) -> str:
    """What is said about a prompt that is refused before anything runs."""
    from comfyui.server import ComfyError

    with pytest.raises(ComfyError) as refused:
        comfy.queue(prompt)
    return str(refused.value)
