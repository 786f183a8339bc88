"""Checks of what is wired into inputs for pictures and videos, as ComfyUI lets values of any type through."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..core.errors import InputError

CHANNELS = 4  # at most


@runtime_checkable
class Video(Protocol):
    """Value of ComfyUI's type VIDEO, as far as this pack uses it."""

    def get_components(self) -> Components:
        """Decode the whole video."""
        ...

    def get_stream_source(self) -> str | BytesIO:
        """Return the file, or what it holds."""
        ...

    def save_to(self, path: str) -> None:
        """Write a video file."""
        ...


class Components(Protocol):
    """Content of a VIDEO."""

    images: Tensor
    audio: Mapping[str, Any] | None
    frame_rate: Fraction


def check_image(value: object, name: str) -> Tensor:
    """Return an IMAGE (B, H, W, C) as it is; raises InputError for anything else, and says what makes one of it."""
    if isinstance(value, Tensor) and not (value.ndim == 3 and value.shape[-1] > CHANNELS):
        return value
    found, advice = _describe(value)
    raise InputError(f"is {found}; pictures (IMAGE) were wanted. {advice}", name)


def check_video(value: object, name: str) -> Video:
    """Return a VIDEO as it is; raises InputError for anything else, and says what makes one of it."""
    if isinstance(value, Video):
        return value
    if isinstance(value, Tensor):
        raise InputError("is pictures (IMAGE); a VIDEO was wanted. Put Create Video between.", name)
    raise InputError(f"is {_describe(value)[0]}; a VIDEO was wanted. Wire Load Video here.", name)


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
