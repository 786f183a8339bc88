"""Notes on a node while it runs: what was left out of its inputs."""

from __future__ import annotations

import logging

from comfy_execution.utils import get_executing_context
from torch import Tensor

from ...animation.moving import Source

log = logging.getLogger(__name__)


def say(text: str) -> None:
    """Show a line on the node that runs, and log it."""
    log.warning("%s", text)
    running = get_executing_context()
    if running is not None:
        from server import PromptServer  # starts much where there is none yet, as in tests of the list of nodes

        PromptServer.instance.send_progress_text(text, running.node_id)


def say_what_is_ignored(source: Source, name: str, whole_batch: bool) -> None:
    """Say where only the first picture of a batch is animated, and where alpha is laid over white."""
    if not isinstance(source, Tensor):
        return
    said: list[str] = []
    if source.ndim > 3 and len(source) > 1 and not whole_batch:
        said.append(
            f"{name} has {len(source)} pictures; the first is animated. Turn on moving_source in Animation Options to "
            "animate all as a video."
        )
    if source.shape[-1] in (2, 4):
        said.append(f"{name} has transparent parts; they are laid over white.")
    if said:
        say(" ".join(said))
