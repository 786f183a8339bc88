"""Nodes whose ids another pack has taken, mostly the earlier FirstOrderMM; ComfyUI keeps the last one silently."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from comfy_api.v0_0_2 import io

from ...core.installation import PACK
from .server import running_server

log = logging.getLogger(__name__)

ADVICE = (
    "To use those, switch the other pack off in the manager, or rename its folder so that it ends in .disabled; "
    "weights in it are still found there. Do not delete them."
)


def registered_nodes() -> Mapping[str, object]:
    """Return the nodes that ComfyUI has, by id; a later one of the same id replaces an earlier one silently."""
    return cast("Mapping[str, object]", getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {}))


class Watch:
    """Watch over the ids of this pack's nodes, which packs that are loaded later can still take."""

    def __init__(self, nodes: Sequence[type[io.ComfyNode]]) -> None:
        self._nodes = {node.__name__: node for node in nodes}
        self._told: set[str] = set()

    def taken(self) -> dict[str, object]:
        """Return the nodes of other packs that have an id of ours."""
        registered = registered_nodes()
        return {name: registered[name] for name, own in self._nodes.items() if registered.get(name) not in (None, own)}

    def left(self) -> list[type[io.ComfyNode]]:
        """List our nodes whose ids are free."""
        taken = self.taken()
        return [node for name, node in self._nodes.items() if name not in taken]

    def check(self) -> None:
        """Warn, once, of nodes that another pack has taken, in the log and in their descriptions."""
        news = {name: node for name, node in self.taken().items() if name not in self._told}
        if not news:
            return
        self._told |= news.keys()
        places = sorted({_place(node) for node in news.values()})
        log.warning(
            "%s: the nodes %s are those of another pack (%s); the ones of this pack are left out. %s",
            PACK.name, ", ".join(news), ", ".join(places), ADVICE,
        )  # fmt: skip
        for node in news.values():
            _note(node)
        _take_back_words(news)

    def watch(self) -> None:
        """Check when all packs are loaded, as the server starts, and with each prompt; now where neither comes."""
        instance = running_server()
        if instance is None:
            self.check()
            return

        async def starts(_: object) -> None:
            self.check()

        def prompted(prompt: object) -> object:
            self.check()
            return prompt

        instance.add_on_prompt_handler(prompted)
        if instance.app.frozen:  # it runs already
            self.check()
        else:
            instance.app.on_startup.append(starts)


def _take_back_words(names: Iterable[str]) -> None:
    """Take back the translations of nodes that are another pack's, which would hide that pack's words and our note."""
    build = getattr(getattr(running_server(), "custom_node_manager", None), "build_translations", None)
    for words in build().values() if build else ():  # ComfyUI makes them once, and keeps them
        for name in names:
            words.get("nodeDefs", {}).pop(name, None)


def _place(node: object) -> str:
    """Name the folder that a node of another pack is of, as ComfyUI notes it with the node."""
    module = str(getattr(node, "RELATIVE_PYTHON_MODULE", None) or getattr(node, "__module__", "unknown"))
    return module.removeprefix("custom_nodes.")


def _note(node: object) -> None:
    """Say in the description of a plain node of another pack whose it is; others make theirs themselves."""
    kind = cast("type[Any]", node)
    if issubclass(kind, io.ComfyNode):
        return
    text = f"This is the node of {_place(kind)}, which also has the name of one of {PACK.name}. {ADVICE}"
    kind.DESCRIPTION = f"{text}\n\n{getattr(kind, 'DESCRIPTION', '')}".strip()
