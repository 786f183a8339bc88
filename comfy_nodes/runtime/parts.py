"""Clips that arrive in parts: movement in all of them is measured from a frame of the first.

VideoHelperSuite's batch manager queues a prompt again and again, each time with the next frames of the video, and
counts the runs in an input that it adds to its own node in the prompt.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

log = logging.getLogger(__name__)

Prompt = Mapping[str, Mapping[str, Any]]
"""Nodes by id, each with `class_type` and `inputs`; an input is a value or a link [id, output]."""

MANAGER, COUNTER = "VHS_BatchManager", "requeue"
MAX_KEPT = 8  # anchors, of as many runners and prompts

_anchors: OrderedDict[tuple[str, str], tuple[int, Tensor]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a clip that a runner gets: `number` counts them from 0; `work` is the same for all of one clip."""

    work: tuple[str, str]
    number: int

    def anchor(self) -> Tensor | None:
        """Return the anchor of the parts before this one; None for the first."""
        number, frame = _anchors.get(self.work, (None, None))
        if frame is not None and number == self.number - 1:
            return frame
        if self.number > 0:
            log.warning("The parts before part %d are not known; movement is measured within it.", self.number + 1)
        return None

    def keep(self, frame: Tensor) -> None:
        """Keep the anchor (1, H, W, C), a small tensor of its own, for the part after this one."""
        _anchors[self.work] = self.number, frame
        _anchors.move_to_end(self.work)
        while len(_anchors) > MAX_KEPT:
            _anchors.popitem(last=False)


def part_of(prompt: Prompt | None, runner: str | None) -> Part | None:
    """Tell which part of a clip a runner is to work on; None where a batch manager has no part in its inputs."""
    if prompt is None or runner is None or runner not in prompt:
        return None
    nodes = {name: prompt[name] for name in sorted(_with_ancestors(prompt, runner))}
    counts = [node["inputs"].get(COUNTER, 0) for node in nodes.values() if node["class_type"] == MANAGER]
    if not counts:
        return None
    others = {name: {**node, "inputs": _without_counter(node)} for name, node in nodes.items()}
    work = hashlib.sha256(json.dumps(others, sort_keys=True, default=str).encode()).hexdigest()
    return Part((runner, work), max(counts))


def _without_counter(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node["inputs"].items() if name != COUNTER}


def _with_ancestors(prompt: Prompt, node: str) -> set[str]:
    """Collect a node and all on which it depends."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        name = waiting.pop()
        if name in prompt and name not in found:
            found.add(name)
            waiting += [link for value in prompt[name]["inputs"].values() if (link := _linked(value)) is not None]
    return found


def _linked(value: object) -> str | None:
    """Return the id of the node that an input is wired to; None for a plain value."""
    link = cast("list[object]", value) if isinstance(value, list) else []
    return link[0] if len(link) == 2 and isinstance(link[0], str) else None
