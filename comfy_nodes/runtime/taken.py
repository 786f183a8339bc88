"""Node ids that are already in use."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import cast


def taken_ids() -> Mapping[str, object]:
    """ComfyUI's one table of nodes, by id; the pack that is loaded last would win it silently."""
    return cast("Mapping[str, object]", getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {}))
