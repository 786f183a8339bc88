"""Row of the bundled network: its one file, the keys that identify it, and how it becomes a model."""

from __future__ import annotations

from ...core.types import LoadOptions
from ...core.weights.architecture import Architecture, all_of, has_keys
from ...core.weights.build import build_strict
from ...core.weights.checkpoint import Checkpoint
from ...core.weights.config import Description, apply_load_options, describe
from ...core.weights.shapes import trained_size
from ..architecture import DRAWN_FACES, FOMM, PARTS
from ..config import BOUNDS
from .config import SIZE, DrawnConfig, from_states
from .network import DrawnAnimator

DESCRIPTION = Description(
    name="bundled network",
    kind=DrawnConfig,
    from_published=None,
    from_states=lambda states: from_states(states["kp_detector"], states["generator"]),
    size_of=lambda checkpoint, _published: trained_size(checkpoint.components["kp_detector"], "", SIZE),
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> DrawnAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError."""
    config, size = describe(checkpoint, DESCRIPTION)
    config = apply_load_options(config, options)
    return build_strict(lambda: DrawnAnimator(config, size), checkpoint, PARTS)


DRAWN = Architecture(
    id="drawn",
    name="Drawn Faces (bundled)",
    matches=all_of(
        has_keys("generator", "first.", "blend.", "dense_motion_network.parts."),
        has_keys("kp_detector", "predictor.", "kp."),
    ),
    published=(DRAWN_FACES,),
    load=load,
    options=FOMM.options,
    family=FOMM.id,
)
