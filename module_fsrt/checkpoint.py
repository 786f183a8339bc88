"""From a checkpoint to an FSRT model."""

from __future__ import annotations

import logging

from ..core.errors import InputError
from ..core.types import LoadOptions
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, describe
from .animator import FSRTAnimator
from .config import BOUNDS, FSRTConfig, from_states

log = logging.getLogger(__name__)

PUBLISHED_SIZE = 256
APART = {"kp_detector": "fsrt_keypoints"}
PARTS = (*APART, "expression_encoder", "encoder", "decoder")

DESCRIPTION = Description(
    name="published FSRT model",
    kind=FSRTConfig,
    from_published=None,  # its YAML says nothing that the tensors do not
    from_states=from_states,
    size_of=lambda _path, _published: PUBLISHED_SIZE,
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> FSRTAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    The keypoint detector, which is published in a file of its own, is among the checkpoint's components. Raises
    InputError for options of other architectures.
    """
    if options.scale_factor is not None or options.aligned_sampling is not None:
        raise InputError("FSRT samples nothing and works at one scale; leave scale_factor and aligned_sampling alone.")
    config, size = describe(checkpoint, DESCRIPTION)
    return build_strict(lambda: FSRTAnimator(config, size), checkpoint, PARTS)
