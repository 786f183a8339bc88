"""ComfyUI-FirstOrderMM: fast, non-diffusion image animation, for ComfyUI, the command line and Python.

>>> from first_order_motion import Predictor, animate_file
>>> animate_file("face.png", "talking.mp4", "result.mp4", Predictor.load("drawn-faces"))

Importing this package is free of side effects: PyTorch, and everything that needs ComfyUI, is imported when it is
asked for. `docs/python.md` shows more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .animation.engine import Engine
    from .animation.enhance import Enhancer
    from .animation.faces.face import Face
    from .animation.framing import FaceOptions, Framing
    from .animation.media.open_clip import open_clip
    from .animation.media.reader import VideoClip, read_picture
    from .animation.motion.controls import Controls
    from .animation.motion.mix import mix
    from .animation.motion.track import MotionTrack
    from .animation.moving import MovingSource
    from .animation.options import AnimateOptions, Hooks
    from .animation.predictor import Predictor
    from .animation.retarget import Retargeting
    from .animation.upscale_model import load_upscale_model
    from .animation.video import animate_file
    from .core.errors import FirstOrderError
    from .core.types import LoadOptions
    from .live.session import LiveSession
    from .live.settings import LiveSettings
    from .nodes import FirstOrderExtension

    __version__: str

WEB_DIRECTORY = "./web"

__all__ = [
    "AnimateOptions",
    "Controls",
    "Engine",
    "Enhancer",
    "Face",
    "FaceOptions",
    "FirstOrderError",
    "Framing",
    "Hooks",
    "LiveSession",
    "LiveSettings",
    "LoadOptions",
    "MotionTrack",
    "MovingSource",
    "Predictor",
    "Retargeting",
    "VideoClip",
    "animate_file",
    "load_upscale_model",
    "mix",
    "open_clip",
    "read_picture",
]

_MODULES = {
    "AnimateOptions": "animation.options",
    "Controls": "animation.motion.controls",
    "Engine": "animation.engine",
    "Enhancer": "animation.enhance",
    "Face": "animation.faces.face",
    "FaceOptions": "animation.framing",
    "FirstOrderError": "core.errors",
    "Framing": "animation.framing",
    "Hooks": "animation.options",
    "LiveSession": "live.session",
    "LiveSettings": "live.settings",
    "LoadOptions": "core.types",
    "MotionTrack": "animation.motion.track",
    "MovingSource": "animation.moving",
    "Predictor": "animation.predictor",
    "Retargeting": "animation.retarget",
    "VideoClip": "animation.media.reader",
    "animate_file": "animation.video",
    "load_upscale_model": "animation.upscale_model",
    "mix": "animation.motion.mix",
    "open_clip": "animation.media.open_clip",
    "read_picture": "animation.media.reader",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name == "__version__":
        return import_module(".core.installation", __name__).pack_version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


async def comfy_entrypoint() -> FirstOrderExtension:
    """Return the extension with the nodes to ComfyUI (Schema V3)."""
    from .nodes import build_extension

    return build_extension()
