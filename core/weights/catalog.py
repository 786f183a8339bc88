"""Published weights: their names, addresses, and the hashes that verify them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODEL_FOLDER: Final = "first_order_motion"
"""Name of the folder for this pack's weights, under ComfyUI's `models`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """Published weight file; None stands for facts that nobody published.

    `name` is shown in menus; `files` are the names it may have in the model folder, the published one first;
    `page` is where a person finds it; `earlier` the folder in which the earlier pack kept it.
    """

    name: str
    files: tuple[str, ...]
    page: str
    paper: str
    sha256: str | None = None
    size: int | None = None
    url: str | None = None
    licence: str | None = None
    earlier: str | None = None
