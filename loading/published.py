"""The weights that papers published: names, where they are, and how to know that they are the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..core.errors import InputError

MODEL_FOLDER: Final = "first_order_motion"
"""The folder under ComfyUI's `models` in which all weights of this pack belong."""


BUNDLED: Final = "drawn-faces"
"""The small model that ships with the pack, in its `checkpoints` folder."""


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """One published weight file; None stands for facts nobody published.

    `name` is what nodes show; `files` the names it may have in the model folder, the published one first;
    `page` where a person finds it; `earlier` the folder in which the earlier pack kept it.
    """

    architecture: str
    name: str
    files: tuple[str, ...]
    sha256: str | None
    size: int | None
    url: str | None
    page: str
    licence: str | None
    paper: str
    earlier: str | None


_FOMM_RELEASE: Final = "https://github.com/graphemecluster/first-order-model-demo/releases"
_FOMM_PAPER: Final = (
    "Siarohin, Lathuilière, Tulyakov, Ricci, Sebe: First Order Motion Model for Image Animation, NeurIPS 2019"
)


def _fomm(name: str, stem: str, sha256: str | None = None, size: int | None = None) -> PublishedWeights:
    file = f"{stem}.pth.tar"
    return PublishedWeights(
        architecture="fomm",
        name=name,
        files=(file, f"{stem}.pth", f"{stem}.safetensors"),
        sha256=sha256,
        size=size,
        url=f"{_FOMM_RELEASE}/download/checkpoints/{file}",
        page=f"{_FOMM_RELEASE}/tag/checkpoints",
        licence="MIT",
        paper=_FOMM_PAPER,
        earlier="checkpoints",
    )


PUBLISHED: Final = (
    _fomm("vox-adv", "vox-adv-cpk", "6792d6810d7f46e3c5c487a1cfec916b96fad8912c3c6cc81baa1fc300c820d3", 750926934),
    _fomm("vox", "vox-cpk", "abb41ab1f279f26326c0d6e4d20702de6658364665aa1313daa7a63e89ea2b23"),
    _fomm("taichi", "taichi-cpk"),
    _fomm("taichi-adv", "taichi-adv-cpk", "cf17bbb05bece3a75f353e42699a4c3ddc8152f486065c2c6741f4d1edecda64"),
    _fomm("fashion", "fashion"),
    _fomm("nemo", "nemo-cpk"),
    _fomm("mgif", "mgif-cpk"),
    _fomm("bair", "bair-cpk"),
    PublishedWeights(
        architecture="fomm",
        name=BUNDLED,
        files=(f"{BUNDLED}.safetensors",),
        sha256=None,
        size=None,
        url=None,
        page="this pack's own checkpoints folder",
        licence="MIT",
        paper=_FOMM_PAPER,
        earlier=None,
    ),
)


def published_for(architecture: str) -> tuple[PublishedWeights, ...]:
    """An architecture's published weights in the order nodes show them."""
    return tuple(row for row in PUBLISHED if row.architecture == architecture)


def names(architecture: str) -> list[str]:
    """The names nodes show for an architecture, the default first."""
    return [row.name for row in published_for(architecture)]


def published(architecture: str, name: str) -> PublishedWeights:
    """One row by the name nodes show; InputError lists the names there are."""
    for row in published_for(architecture):
        if row.name == name:
            return row
    known = ", ".join(names(architecture)) or "none"
    raise InputError(f"{name!r} is not a published {architecture} model; choose one of: {known}.")
