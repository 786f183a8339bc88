"""All words of ComfyUI's side that a user reads, in English: `python tests/support/node_strings.py`.

It writes `locales/en`: what the schemas of the nodes state, and the words of `web/*.js`. ComfyUI itself is not needed:
its packages are replaced by stand-ins that keep what a schema is made of.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "locales"
NODES, OTHERS = "nodeDefs.json", "main.json"
OWN = "firstOrderMotion"
"""Key of our own words, under which `web/words.js` finds them."""


@dataclass
class Schema:
    """What a node states of itself."""

    node_id: str
    display_name: str
    category: str
    description: str
    inputs: list[Socket]
    outputs: list[Socket]
    hidden: list[object] = field(default_factory=list[object])
    is_input_list: bool = False
    is_output_node: bool = False
    search_aliases: list[str] = field(default_factory=list[str])


class Socket:
    """Input or output, of any type."""

    def __init__(self, id: str, **facts: Any) -> None:
        self.id, self.facts = id, facts
        self.extra_dict: dict[str, Any] = {}


class _Type:
    Input = Output = Socket


class _Io:
    """Stand-in for ComfyUI's `io`: every type of wire is the same."""

    Schema, ComfyNode, Input, Output = Schema, type("ComfyNode", (), {}), Socket, Socket
    Hidden, NodeOutput = MagicMock(), MagicMock()

    def __getattr__(self, name: str) -> type[_Type]:
        return _Type

    @staticmethod
    def Custom(name: str) -> type[_Type]:  # noqa: N802 (ComfyUI's name)
        return _Type


def stand_in(folder: str) -> None:
    """Put stand-ins in the place of ComfyUI's packages, whose folders are all `folder`."""
    for name in ("comfy", "comfy.cli_args", "comfy.model_management", "comfy.model_patcher", "comfy.utils"):
        sys.modules[name] = MagicMock()
    for name in ("comfy_execution", "comfy_execution.utils", "server"):
        sys.modules[name] = MagicMock()
    folders = MagicMock()
    folders.models_dir = folders.get_input_directory.return_value = folder
    folders.get_filename_list.return_value = folders.get_folder_paths.return_value = []
    sys.modules["folder_paths"] = folders
    api = ModuleType("comfy_api.v0_0_2")
    vars(api).update(
        io=_Io(), ComfyExtension=type("ComfyExtension", (), {}), InputImpl=MagicMock(), VideoComponents=None
    )
    sys.modules.update({"comfy_api": ModuleType("comfy_api"), "comfy_api.v0_0_2": api})


def english() -> dict[str, dict[str, Any]]:
    """Collect all words, by file."""
    runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()
    from first_order_motion import nodes

    schemas: list[Any] = [node.define_schema() for node in nodes.NODES]
    by_id = {schema.node_id: of_schema(schema) for schema in schemas}
    return {NODES: dict(sorted(by_id.items())), OTHERS: {OWN: of_scripts()}}


def of_schema(schema: Schema) -> dict[str, Any]:
    """Lay out the words of one node."""
    words: dict[str, Any] = {"display_name": schema.display_name, "description": schema.description}
    words["inputs"] = {key(one.id): of_socket(one) for one in schema.inputs}
    if schema.outputs:
        words["outputs"] = {str(number): of_socket(one) for number, one in enumerate(schema.outputs)}
    return words


def of_socket(socket: Socket) -> dict[str, str]:
    """Lay out name and tooltip of an input or an output."""
    return {"name": socket.facts.get("display_name") or socket.id, "tooltip": socket.facts["tooltip"]}


def of_scripts() -> dict[str, str]:
    """Find the words of buttons and menus in the scripts of the interface."""
    scripts = "".join(file.read_text("utf-8") for file in sorted((ROOT / "web").glob("*.js")))
    constants = dict(re.findall(r'^const (\w+) = "(.*)";$', scripts, re.MULTILINE))
    found = re.findall(r'\bword\((?:"(\w+)"|(\w+)), "([^"]+)"\)', scripts)
    return dict(sorted((literal or constants[name], text) for literal, name, text in found))


def key(name: str) -> str:
    """Write a name as the interface looks it up: a dot would lead into another level."""
    return name.replace(".", "_")


def dump(words: dict[str, Any]) -> str:
    """Write words in the one form of all locales."""
    return json.dumps(words, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write the files, or, with a folder as argument, write them there."""
    target = Path(sys.argv[1]) if sys.argv[1:] else LOCALES / "en"
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        stand_in(folder)
        for name, words in english().items():
            (target / name).write_text(dump(words), "utf-8")


if __name__ == "__main__":
    main()
