"""FSRT: its published files, the keys that identify them, and how they become a model."""

from __future__ import annotations

import logging

from ..core.types import LoadOptions
from ..core.weights.architecture import RELATIVE, Architecture, WeightsKind, all_of, has_keys, lacks_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, describe
from ..core.weights.shapes import trained_size
from .animator import FSRTAnimator
from .config import BOUNDS, FSRTConfig, from_states

log = logging.getLogger(__name__)

PUBLISHED_SIZE = 256
DETECTOR = "kp_detector"
PARTS = (DETECTOR, "expression_encoder", "encoder", "decoder")

DESCRIPTION = Description(
    name="published FSRT model",
    kind=FSRTConfig,
    from_published=None,  # its YAML says nothing that the tensors do not
    from_states=from_states,
    size_of=lambda checkpoint, _published: trained_size(checkpoint.components[DETECTOR], "", PUBLISHED_SIZE),
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, _options: LoadOptions) -> FSRTAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    The keypoint detector, which is published in a file of its own, is among the checkpoint's components.
    """
    config, size = describe(checkpoint, DESCRIPTION)
    return build_strict(lambda: FSRTAnimator(config, size), checkpoint, PARTS)


def _published(name: str) -> PublishedWeights:
    """Describe one file; they are on a file-sharing page only."""
    return PublishedWeights(
        name=name,
        files=(f"{name}.pt", f"fsrt-{name}.safetensors"),
        page="https://github.com/andrerochow/fsrt",
        paper="Rochow, Schwarz, Behnke: FSRT: Facial Scene Representation Transformer for Face Reenactment from "
        "Factorized Appearance, Head-pose, and Facial Expression Features, CVPR 2024",
        earlier="module_fsrt/models",
    )


FSRT_KEYPOINTS = WeightsKind(
    id="fsrt_keypoints",
    name="FSRT's keypoint detector",
    matches=all_of(
        has_keys("", "predictor.encoder.", "kp."), lacks_keys("", "jacobian."), lacks_keys("", "semantic_seg.")
    ),
    published=(_published(DETECTOR),),
    advice="this one belongs beside an FSRT model",
)

FSRT = Architecture(
    id="fsrt",
    name="FSRT",
    matches=all_of(
        has_keys("encoder", "conv_blocks.", "transformer."),
        has_keys("decoder", "allocation_transformer.", "render_mlp."),
        has_keys("expression_encoder", "expression."),
    ),
    published=(_published("vox256"), _published("vox256_2Source")),
    load=load,
    companion_files={DETECTOR: FSRT_KEYPOINTS},
    options=RELATIVE | {"max_pixels", "more_sources"},
)
