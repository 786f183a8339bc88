"""From a checkpoint to a Thin-Plate Spline model."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.types import LoadOptions
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, describe
from .animator import SplineAnimator
from .config import BOUNDS, SplineConfig, from_published, from_states

log = logging.getLogger(__name__)

PUBLISHED_SIZE = 256
NAMED_SIZES = {"ted": 384}
WRITTEN_SIZE = re.compile(r"(?<!\d)(256|384|512|768|1024)(?!\d)")
PARTS = ("kp_detector", "dense_motion_network", "inpainting_network")


def load(checkpoint: Checkpoint, options: LoadOptions) -> SplineAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    A background predictor is left out: it only serves training. InputError for options other than what these
    weights were trained with: their one scale, and aligned corners.
    """
    if options.scale_factor is not None or options.aligned_sampling is False:
        raise InputError("Thin-Plate Spline weights work at one scale, with aligned corners; leave both alone.")
    config, size = describe(checkpoint, DESCRIPTION)
    config = replace(config, has_avd="avd_network" in checkpoint.components)
    parts = (*PARTS, "avd_network") if config.has_avd else PARTS
    log.info("%s: trained at %d pixels, %s avd.", checkpoint.path.name, size, "with" if config.has_avd else "without")
    return build_strict(lambda: SplineAnimator(config, size), checkpoint, parts)


def training_size(path: Path, published: Any) -> int:
    """The side of the pictures a file was trained with.

    A YAML may tell, by its `frame_shape`. Tensors do not, but names do: a number in the file's or, failing that,
    in its folder's, or "ted". Else it is the usual one.
    """
    shape = None if published is None else published.get("dataset_params", {}).get("frame_shape")
    if shape is not None:
        return shape[0]
    stem = path.name.split(".")[0].lower()
    written = WRITTEN_SIZE.search(stem) or WRITTEN_SIZE.fullmatch(path.parent.name)
    if written:
        return int(written[1])
    return next((NAMED_SIZES[word] for word in re.split(r"[-_ ]", stem) if word in NAMED_SIZES), PUBLISHED_SIZE)


DESCRIPTION = Description(
    name="Thin-Plate Spline model",
    kind=SplineConfig,
    from_published=from_published,
    from_states=from_states,
    size_of=training_size,
    bounds=BOUNDS,
)
