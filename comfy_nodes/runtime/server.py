"""Server of ComfyUI, where there is one: lists of nodes are also made without."""

from __future__ import annotations

import sys
from typing import Any


def running_server() -> Any:
    """Return ComfyUI's server, or None; its module, which starts much, is not imported for that."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
