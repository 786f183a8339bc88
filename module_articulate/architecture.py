"""Articulated Animation: its published files, the keys that identify them, and how they become a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import CheckpointError
from ..core.types import LoadOptions
from ..core.weights.architecture import RELATIVE_JACOBIAN, Architecture, all_of, has_keys
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint, State
from ..core.weights.config import Description, describe
from ..core.weights.shapes import trained_size
from .animator import ArticulateAnimator
from .config import BOUNDS, ArticulateConfig, from_published, from_states
from .variants import PUBLISHED, VARIANTS, Variant, identify_variant

PARTS = ("region_predictor", "generator")
DEFAULT_SIZE = 256  # of weights described by a YAML that has no `dataset_params`


def load(checkpoint: Checkpoint, options: LoadOptions) -> ArticulateAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    `options.variant` names the published model that the file is like, where nothing else identifies it; see
    `variants.identify_variant`. The background's network is left out: animation does not use it.
    """
    known = None if "config" in checkpoint.metadata else identify_variant(checkpoint, options.variant)
    config, size = describe(checkpoint, _description(known))
    config = replace(config, avd="avd_network" in checkpoint.components)
    if options.aligned_sampling is not None:
        config = replace(config, align_corners=options.aligned_sampling)
    parts = (*PARTS, "avd_network") if config.avd else PARTS
    return build_strict(lambda: ArticulateAnimator(config, size), checkpoint, parts)


def _description(known: Variant | None) -> Description[ArticulateConfig]:
    def read(states: Mapping[str, State]) -> ArticulateConfig:
        if known is None:
            raise CheckpointError(
                "neither hash nor name tells its padding (3 in vox256, 0 elsewhere); "
                f"name it after the file it is like ({', '.join(VARIANTS)}), or choose that"
            )
        return from_states(states, known.pad)

    return Description(
        name="published articulated model",
        kind=ArticulateConfig,
        from_published=from_published,
        from_states=read,
        size_of=lambda checkpoint, published: _size(checkpoint, known, published),
        bounds=BOUNDS,
    )


def _size(checkpoint: Checkpoint, known: Variant | None, published: Any) -> int:
    """Return the training size: the one in a YAML's `dataset_params` for an unknown file, else what the blur kernel
    makes of the published file's.
    """
    if known is None and "frame_shape" in published.get("dataset_params", {}):
        return published["dataset_params"]["frame_shape"][0]
    usual = DEFAULT_SIZE if known is None else known.size
    return trained_size(checkpoint.components["region_predictor"], "", usual)


ARTICULATE = Architecture(
    id="articulate",
    name="Articulated Animation",
    matches=all_of(has_keys("generator", "pixelwise_flow_predictor."), has_keys("region_predictor", "regions.")),
    published=PUBLISHED,
    load=load,
    options=RELATIVE_JACOBIAN | {"aligned_sampling", "variant"},
)
