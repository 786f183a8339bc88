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
    `page` is where a person finds it; `earlier` the folder in which the earlier pack kept it. `url` is the address that
    is asked for the file, `mirrors` are tried after it; `stated_at` is the page on which `sha256` was read.
    """

    name: str
    files: tuple[str, ...]
    page: str
    paper: str
    sha256: str | None = None
    size: int | None = None
    url: str | None = None
    mirrors: tuple[str, ...] = ()
    stated_at: str | None = None
    licence: str | None = None
    earlier: str | None = None

    @property
    def can_be_fetched(self) -> bool:
        """Tell whether the file has an address, and a hash by which what comes from there is checked."""
        return self.url is not None and self.sha256 is not None
