"""ComfyUI-FirstOrderMM: fast, non-diffusion image animation for ComfyUI.

Importing this package is free of side effects: everything heavy, and everything that needs ComfyUI, is
imported when ComfyUI asks for the nodes, so that tests and the command line run on a bare machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import FirstOrderExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> FirstOrderExtension:
    """What ComfyUI calls to get the nodes (Schema V3)."""
    from .nodes import build_extension

    return build_extension()
