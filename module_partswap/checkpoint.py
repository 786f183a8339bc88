"""From a checkpoint, of part swap or of FOMM, to a part swap."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from ..core.errors import CheckpointError, listed
from ..core.types import LoadOptions
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint, State
from ..core.weights.config import UNREADABLE, Description, adapted, describe
from ..module_fomm.checkpoint import DESCRIPTION as FOMM
from .animator import PartSwapAnimator
from .config import BOUNDS, PartSwapConfig, from_fomm, from_published, from_states

log = logging.getLogger(__name__)

PUBLISHED_SIZE = 256
PARTS = ("segmentation_module", "reconstruction_module")
MOTION = "dense_motion_network."

# The second published layout is a FOMM's: its names, and the names of the same things here.
RENAMED = {"kp": "shift", "jacobian": "affine", "semantic_seg": "segmentation"}
KNOWN = {
    "segmentation_module": ("predictor", "down", "shift", "affine", "segmentation"),
    "reconstruction_module": ("first", "down_blocks", "bottleneck", "up_blocks", "final", "dense_motion_network"),
}

DESCRIPTION = Description(
    name="Part Swap",
    kind=PartSwapConfig,
    from_published=from_published,
    from_states=from_states,
    size_of=lambda _path, _published: PUBLISHED_SIZE,
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> PartSwapAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    A plain FOMM's weights will do: they have no segments, so that a face parser must say what is swapped.
    """
    parts = in_own_layout(checkpoint)
    config, size = _described(checkpoint, parts)
    config = adapted(config, options)
    if not config.first_order:
        parts = _without_motion(parts)
    return build_strict(lambda: PartSwapAnimator(config, size), parts, PARTS)


def in_own_layout(checkpoint: Checkpoint) -> Checkpoint:
    """The same tensors under the names of the first published layout.

    Of the second, entries that no part swap has are left out with a warning; the published loader leaves them out in
    silence.
    """
    states = checkpoint.components
    if "kp_detector" not in states:
        return checkpoint
    segmentation = {_renamed(key): tensor for key, tensor in states["kp_detector"].items()}
    reconstruction = states["generator"]
    if "blend.weight" in reconstruction:
        raise CheckpointError(
            f"{checkpoint.path} holds a FOMM with skips, as this pack's own model is; part swap needs one without. "
            "Choose published weights."
        )
    components = {"segmentation_module": segmentation, "reconstruction_module": reconstruction}
    kept = {name: _known(name, state, checkpoint) for name, state in components.items()}
    return replace(checkpoint, components=kept)


def _renamed(key: str) -> str:
    first, dot, rest = key.partition(".")
    return RENAMED.get(first, first) + dot + rest


def _known(name: str, state: State, checkpoint: Checkpoint) -> State:
    strange = [key for key in state if key.partition(".")[0] not in KNOWN[name]]
    if strange:
        log.warning("%s: %s are of no use to part swap and left out.", checkpoint.path.name, listed(strange))
    return {key: tensor for key, tensor in state.items() if key not in strange}


def _described(checkpoint: Checkpoint, parts: Checkpoint) -> tuple[PartSwapConfig, int]:
    """Configuration and training size, from a FOMM's description where it is one's.

    A file with both segments and a dense motion network is vox-first-order's kind, unless its name speaks of segments.
    """
    if not _is_fomm(parts.components):
        config, size = describe(parts, DESCRIPTION)
        if "config" in parts.metadata:
            return config, size
        named_for_segments = "segments" in parts.path.name.lower()
        return replace(config, first_order=_has_motion(parts.components) and not named_for_segments), size
    config, size = describe(checkpoint, FOMM)
    try:
        return from_fomm(config), size
    except UNREADABLE as error:
        raise CheckpointError(f"{checkpoint.path}: {error}. Choose published weights.") from error


def _is_fomm(states: Mapping[str, State]) -> bool:
    return _has_motion(states) and "segmentation.weight" not in states["segmentation_module"]


def _has_motion(states: Mapping[str, State]) -> bool:
    return any(key.startswith(MOTION) for key in states["reconstruction_module"])


def _without_motion(parts: Checkpoint) -> Checkpoint:
    """Without FOMM's dense motion network, which a file may have kept though its flow comes from segments."""
    states = dict(parts.components)
    states["reconstruction_module"] = {k: t for k, t in states["reconstruction_module"].items() if MOTION not in k}
    return replace(parts, components=states)
