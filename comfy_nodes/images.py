"""Check of what is wired into picture inputs, as ComfyUI lets values of any type through from a prompt."""

from __future__ import annotations

from torch import Tensor

from ..core.errors import InputError

CHANNELS = 4  # at most


def check_image(value: object, name: str) -> Tensor:
    """Return an IMAGE (B, H, W, C) as it is; raises InputError for anything else, and says what makes one of it."""
    if isinstance(value, Tensor) and not (value.ndim == 3 and value.shape[-1] > CHANNELS):
        return value
    found, advice = _describe(value)
    raise InputError(f"is {found}; pictures (IMAGE) were wanted. {advice}", name)


def _describe(value: object) -> tuple[str, str]:
    """Name a value that is no IMAGE, and say what to do."""
    if isinstance(value, Tensor):
        return f"of shape {tuple(value.shape)}, like a MASK", "Put Convert Mask to Image between."
    if _holds(value, "samples"):
        return "a LATENT", "Put VAE Decode between."
    if _holds(value, "waveform"):
        return "an AUDIO", "Wire the frames of the video instead."
    if hasattr(value, "get_components"):
        return "a VIDEO", "Put Get Video Components between."
    if value is None:
        return "nothing (None)", "Check the node that it comes from."
    return f"a {type(value).__name__}", "Wire the output of a picture or video loader."


def _holds(value: object, key: str) -> bool:
    return isinstance(value, dict) and key in value
