"""First Order Motion Model: its published files, the keys that identify them, and how they become a model."""

from __future__ import annotations

from ..core.types import LoadOptions
from ..core.weights.architecture import RELATIVE_JACOBIAN, Architecture, all_of, has_keys, lacks_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, apply_load_options, describe
from ..core.weights.shapes import trained_size
from .animator import FOMMAnimator
from .config import BOUNDS, FOMMConfig, from_published, from_states

PUBLISHED_SIZE = 256
PARTS = ("kp_detector", "generator")

DESCRIPTION = Description(
    name="FOMM",
    kind=FOMMConfig,
    from_published=from_published,
    from_states=lambda states: from_states(states["kp_detector"], states["generator"]),
    size_of=lambda checkpoint, _published: trained_size(checkpoint.components["kp_detector"], "", PUBLISHED_SIZE),
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> FOMMAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError."""
    config, size = describe(checkpoint, DESCRIPTION)
    config = apply_load_options(config, options)
    return build_strict(lambda: FOMMAnimator(config, size), checkpoint, PARTS)


_RELEASE = "https://github.com/graphemecluster/first-order-model-demo/releases"
_PAPER = "Siarohin, Lathuilière, Tulyakov, Ricci, Sebe: First Order Motion Model for Image Animation, NeurIPS 2019"


_COPIES = "https://huggingface.co/MCMLXXXVII/thinplatesv1"


def published(
    name: str, stem: str, sha256: str | None = None, size: int | None = None, copy: str | None = None
) -> PublishedWeights:
    """Describe one of the release's files; `copy` is a page that states the SHA-256 of the same file there.

    The release states none, so that the copy is asked first.
    """
    file = f"{stem}.pth.tar"
    release = f"{_RELEASE}/download/checkpoints/{file}"
    return PublishedWeights(
        name=name,
        files=(file, f"{stem}.pth", f"{stem}.safetensors"),
        sha256=sha256,
        size=size,
        url=release if copy is None else copy.replace("/blob/", "/resolve/"),
        mirrors=() if copy is None else (release,),
        stated_at=copy,
        page=f"{_RELEASE}/tag/checkpoints",
        licence="MIT",
        paper=_PAPER,
        earlier="checkpoints",
    )


VOX_ADV = published(
    "vox-adv",
    "vox-adv-cpk",
    "6792d6810d7f46e3c5c487a1cfec916b96fad8912c3c6cc81baa1fc300c820d3",
    750926934,
    "https://huggingface.co/ashpexx/my-models/blob/14eb0c66a25dd2641f15fda32adbc6a568f97d3c/vox-adv-cpk.pth.tar",
)
VOX = published(
    "vox",
    "vox-cpk",
    "abb41ab1f279f26326c0d6e4d20702de6658364665aa1313daa7a63e89ea2b23",
    copy=f"{_COPIES}/blob/main/vox-cpk.pth.tar",
)

DRAWN_FACES = PublishedWeights(
    name="drawn-faces",
    files=("drawn-faces.safetensors",),
    sha256="0bedb53d92bb1dfbad7f48b73f2608c47f9c70c64dba3916e45f7d1a85eaff0f",
    size=5986340,
    page="this pack's own checkpoints folder",
    licence="MIT",
    paper=_PAPER,
)
"""File that ships with the pack, of a network of its own (`drawn`) that is offered beside FOMM's."""

FOMM = Architecture(
    id="fomm",
    name="First Order Motion Model (FOMM)",
    matches=all_of(
        has_keys("generator", "first.", "dense_motion_network.hourglass."),
        lacks_keys("generator", "blend."),
        has_keys("kp_detector", "predictor.", "kp."),
        lacks_keys("kp_detector", "semantic_seg."),
    ),
    published=(
        VOX_ADV,
        VOX,
        published("taichi", "taichi-cpk"),
        published(
            "taichi-adv",
            "taichi-adv-cpk",
            "cf17bbb05bece3a75f353e42699a4c3ddc8152f486065c2c6741f4d1edecda64",
            copy=f"{_COPIES}/blob/main/taichi-adv-cpk.pth.tar",
        ),
        published("fashion", "fashion"),
        published("nemo", "nemo-cpk"),
        published("mgif", "mgif-cpk"),
        published("bair", "bair-cpk"),
        DRAWN_FACES,
    ),
    load=load,
    options=RELATIVE_JACOBIAN | {"aligned_sampling", "scale_factor"},
)
