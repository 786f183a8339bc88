"""Thin-Plate Spline: its published files, the keys that identify them, and how they become a model."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

from ..core.types import LoadOptions
from ..core.weights.architecture import RELATIVE, Architecture, all_of, has_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, describe
from ..core.weights.shapes import trained_size
from .animator import SplineAnimator
from .config import BOUNDS, SplineConfig, from_published, from_states

log = logging.getLogger(__name__)

PUBLISHED_SIZE = 256
NAMED_SIZES = {"ted": 384}
WRITTEN_SIZE = re.compile(r"(?<!\d)(256|384|512|768|1024)(?!\d)")
PARTS = ("kp_detector", "dense_motion_network", "inpainting_network")


def load(checkpoint: Checkpoint, _options: LoadOptions) -> SplineAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    A background predictor is left out: it only serves training.
    """
    config, size = describe(checkpoint, DESCRIPTION)
    config = replace(config, has_avd="avd_network" in checkpoint.components)
    parts = (*PARTS, "avd_network") if config.has_avd else PARTS
    log.info("%s: trained at %d pixels, %s avd.", checkpoint.path.name, size, "with" if config.has_avd else "without")
    return build_strict(lambda: SplineAnimator(config, size), checkpoint, parts)


def training_size(checkpoint: Checkpoint, published: Any) -> int:
    """Determine the side in pixels of the pictures that a file was trained with.

    It is a YAML's `frame_shape`, else a number in the file's name or, failing that, its folder's. Else the blur kernel
    tells how it compares with the published size, which is another for "ted".
    """
    path = checkpoint.path
    shape = None if published is None else published.get("dataset_params", {}).get("frame_shape")
    if shape is not None:
        return shape[0]
    stem = path.name.split(".")[0].lower()
    written = WRITTEN_SIZE.search(stem) or WRITTEN_SIZE.fullmatch(path.parent.name)
    if written:
        return int(written[1])
    usual = next((NAMED_SIZES[word] for word in re.split(r"[-_ ]", stem) if word in NAMED_SIZES), PUBLISHED_SIZE)
    return trained_size(checkpoint.components["dense_motion_network"], "", usual)


DESCRIPTION = Description(
    name="Thin-Plate Spline model",
    kind=SplineConfig,
    from_published=from_published,
    from_states=from_states,
    size_of=training_size,
    bounds=BOUNDS,
)


_COPIES = "https://huggingface.co/MCMLXXXVII/thinplatesv1/tree/main/orig"


def _published(
    name: str,
    *stems: str,
    page: str = _COPIES,
    sha256: str | None = None,
    size: int | None = None,
    copy: str | None = None,
    licence: str | None = "MIT",
) -> PublishedWeights:
    return PublishedWeights(
        name=name,
        files=(*(f"{stem}.pth.tar" for stem in stems), f"spline-{name}.safetensors"),
        sha256=sha256,
        size=size,
        url=None if copy is None else copy.replace("/blob/", "/resolve/"),
        stated_at=copy,
        page=page,
        licence=licence,
        paper="Zhao, Zhang: Thin-Plate Spline Motion Model for Image Animation, CVPR 2022",
        earlier="module_spline/models",
    )


SPLINE = Architecture(
    id="spline",
    name="Thin-Plate Spline Motion Model",
    matches=all_of(
        has_keys("inpainting_network", "first."),
        has_keys("dense_motion_network", "hourglass."),
        has_keys("kp_detector", "fg_encoder."),
    ),
    published=(
        _published(
            "vox",
            "vox",
            page="https://huggingface.co/vessl/thin-plate-spline-motion-model",
            sha256="52ad8c848e2a1d91b621de96fea83faf57ce3b8c1c06424e317f4df1d3998204",
            size=350993469,
            copy="https://huggingface.co/vessl/thin-plate-spline-motion-model/blob/main/vox.pth.tar",
        ),
        _published("taichi", "taichi"),
        _published("ted-384", "ted", "ted-384"),
        _published("mgif", "mgif"),
        # not the authors', and for 768 pixels; 768/vox.pth.tar on its page
        _published(
            "vox-768", "vox-768", page="https://huggingface.co/MAGIG/thin-plate-spline-motion-model", licence=None
        ),
    ),
    load=load,
    options=RELATIVE,
)
