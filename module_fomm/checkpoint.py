"""From a checkpoint to a FOMM."""

from __future__ import annotations

from ..core.types import LoadOptions
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import Description, adapted, describe
from .animator import FOMMAnimator
from .config import BOUNDS, FOMMConfig, from_published, from_states

PUBLISHED_SIZE = 256

DESCRIPTION = Description(
    name="FOMM",
    kind=FOMMConfig,
    from_published=from_published,
    from_states=lambda states: from_states(states["kp_detector"], states["generator"]),
    size_of=lambda _path, _published: PUBLISHED_SIZE,
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> FOMMAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError."""
    config, size = describe(checkpoint, DESCRIPTION)
    config = adapted(config, options)
    return build_strict(lambda: FOMMAnimator(config, size), checkpoint, ("kp_detector", "generator"))
