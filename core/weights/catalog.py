"""The weights that papers published: names, where they are, and how to know that they are the real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import InputError

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


_ARTICULATE_PAPER: Final = (
    "Siarohin, Woodford, Ren, Chai, Tulyakov: Motion Representations for Articulated Animation, CVPR 2021"
)


def _articulate(name: str, sha256: str, size: int) -> PublishedWeights:
    return PublishedWeights(
        architecture="articulate",
        name=name,
        files=(f"{name}.pth", f"{name}.safetensors"),
        sha256=sha256,
        size=size,
        url=None,  # on a file-sharing page only, reported dead
        page="https://github.com/snap-research/articulated-animation",
        licence=None,
        paper=_ARTICULATE_PAPER,
        earlier="module_articulate/models",
    )


_SPLINE_PAPER: Final = "Zhao, Zhang: Thin-Plate Spline Motion Model for Image Animation, CVPR 2022"
_SPLINE_COPIES: Final = "https://huggingface.co/MCMLXXXVII/thinplatesv1/tree/main/orig"


def _spline(
    name: str,
    *stems: str,
    page: str = _SPLINE_COPIES,
    sha256: str | None = None,
    size: int | None = None,
    licence: str | None = "MIT",
) -> PublishedWeights:
    return PublishedWeights(
        architecture="spline",
        name=name,
        files=(*(f"{stem}.pth.tar" for stem in stems), f"spline-{name}.safetensors"),
        sha256=sha256,
        size=size,
        url=None,
        page=page,
        licence=licence,
        paper=_SPLINE_PAPER,
        earlier="module_spline/models",
    )


_PARTSWAP_PAPER: Final = (
    "Siarohin, Roy, Lathuilière, Tulyakov, Ricci, Sebe: Motion Supervised Co-Part Segmentation, 2020"
)


def _partswap(name: str) -> PublishedWeights:
    return PublishedWeights(
        architecture="partswap",
        name=name,
        files=(f"{name}.pth.tar", f"{name}.safetensors"),
        sha256=None,
        size=None,
        url=None,  # on file-sharing pages only
        page="https://github.com/AliaksandrSiarohin/motion-cosegmentation",
        licence="CC BY-NC",
        paper=_PARTSWAP_PAPER,
        earlier="checkpoints",
    )


def _fomm_for_partswap(name: str, *facts: Any) -> PublishedWeights:
    """FOMM's weights swap parts too, under the name that the earlier pack gave them there."""
    return replace(_fomm(name, name, *facts), architecture="partswap")


_VOX_ADV: Final = ("6792d6810d7f46e3c5c487a1cfec916b96fad8912c3c6cc81baa1fc300c820d3", 750926934)
_VOX: Final = "abb41ab1f279f26326c0d6e4d20702de6658364665aa1313daa7a63e89ea2b23"

_MRFA_PAPER: Final = "Tao, Gu, Li, Duan: Learning Motion Refinement for Unsupervised Face Animation, NeurIPS 2023"


def _mrfa(name: str) -> PublishedWeights:
    return PublishedWeights(
        architecture="mrfa",
        name=name,
        files=(f"{name}.pth", f"mrfa-{name}.pth", f"mrfa-{name}.safetensors"),
        sha256=None,
        size=None,
        url=None,  # on file-sharing pages only
        page="https://github.com/JialeTao/MRFA",
        licence=None,
        paper=_MRFA_PAPER,
        earlier="module_mrfa/models",
    )


_FSRT_PAPER: Final = (
    "Rochow, Schwarz, Behnke: FSRT: Facial Scene Representation Transformer for Face Reenactment from Factorized "
    "Appearance, Head-pose, and Facial Expression Features, CVPR 2024"
)


def _fsrt(name: str, architecture: str = "fsrt") -> PublishedWeights:
    return PublishedWeights(
        architecture=architecture,
        name=name,
        files=(f"{name}.pt", f"fsrt-{name}.safetensors"),
        sha256=None,
        size=None,
        url=None,  # on a file-sharing page only
        page="https://github.com/andrerochow/fsrt",
        licence=None,
        paper=_FSRT_PAPER,
        earlier="module_fsrt/models",
    )


PUBLISHED: Final = (
    _fomm("vox-adv", "vox-adv-cpk", *_VOX_ADV),
    _fomm("vox", "vox-cpk", _VOX),
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
    _articulate("vox256", "a8c59e0b38f96195eac6414265dcf8e4b15e0675cea2622489b735edc61b3b66", 291747542),
    _articulate("taichi256", "6fd5ebb68953d6c7d02ff765986efa1c8a62d349817fe736a6069e07dc8c17af", 273409176),
    _articulate("ted384", "5c88fb60718a64a8fd87043b0e95781b50e500457d03bf3b4fd26cca6b70c3f7", 273409224),
    _articulate("ted-youtube384", "75ce78089fc2f0b0a276346bf8f14c2043895845ed869bdbe9b2656d3feec13b", 292943746),
    _articulate("mgif256", "58b796e31f763ccfbb240f959c9d92c2afe8a6e57da303e07d8fabd1f2921c68", 248256308),
    _spline(
        "vox",
        "vox",
        page="https://huggingface.co/vessl/thin-plate-spline-motion-model",
        sha256="52ad8c848e2a1d91b621de96fea83faf57ce3b8c1c06424e317f4df1d3998204",
        size=350993469,
    ),
    _spline("taichi", "taichi"),
    _spline("ted-384", "ted", "ted-384"),
    _spline("mgif", "mgif"),
    # not the authors', and for 768 pixels; 768/vox.pth.tar on its page
    _spline("vox-768", "vox-768", page="https://huggingface.co/MAGIG/thin-plate-spline-motion-model", licence=None),
    *(_partswap(f"vox-{count}segments") for count in (10, 5, 15)),
    _fomm_for_partswap("vox-cpk", _VOX),
    _fomm_for_partswap("vox-adv-cpk", *_VOX_ADV),
    _partswap("vox-first-order"),
    PublishedWeights(
        architecture="face_parsing",
        name="79999_iter",
        files=("79999_iter.pth", "79999_iter.safetensors"),
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        size=53289463,
        url=None,
        page="https://huggingface.co/vivym/face-parsing-bisenet",
        licence=None,
        paper="Yu et al.: BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation, ECCV 2018",
        earlier="face_parsing",
    ),
    _mrfa("vox"),
    _mrfa("celebvhq"),
    _fsrt("vox256"),
    _fsrt("vox256_2Source"),
    _fsrt("kp_detector", "fsrt_keypoints"),
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
