"""Part Swap: its published files, the keys that identify them, and how they, or a FOMM's, become a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from ..core.errors import CheckpointError, join_names
from ..core.types import LoadOptions
from ..core.weights.architecture import Architecture, all_of, any_of, has_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint, State
from ..core.weights.config import UNREADABLE, Description, apply_load_options, describe, reason_of
from ..core.weights.shapes import trained_size
from ..module_fomm.architecture import DESCRIPTION as FOMM_DESCRIPTION
from ..module_fomm.architecture import FOMM, VOX, VOX_ADV
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
    size_of=lambda parts, _published: trained_size(parts.components["segmentation_module"], "", PUBLISHED_SIZE),
    bounds=BOUNDS,
)


def load(checkpoint: Checkpoint, options: LoadOptions) -> PartSwapAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    A plain FOMM's weights will do: they have no segments, so that a face parser must say what is swapped.
    """
    parts = to_first_layout(checkpoint)
    config, size = _described(checkpoint, parts)
    config = apply_load_options(config, options)
    if not config.first_order:
        parts = _without_motion(parts)
    return build_strict(lambda: PartSwapAnimator(config, size), parts, PARTS)


def to_first_layout(checkpoint: Checkpoint) -> Checkpoint:
    """Rename a checkpoint's tensors to the first published layout.

    Of the second, entries that no part swap has are left out with a warning; the published loader leaves them out in
    silence.
    """
    states = checkpoint.components
    if "kp_detector" not in states:
        return checkpoint
    segmentation = {_renamed(key): tensor for key, tensor in states["kp_detector"].items()}
    components = {"segmentation_module": segmentation, "reconstruction_module": states["generator"]}
    kept = {name: _known(name, state, checkpoint) for name, state in components.items()}
    return replace(checkpoint, components=kept)


def _renamed(key: str) -> str:
    first, dot, rest = key.partition(".")
    return RENAMED.get(first, first) + dot + rest


def _known(name: str, state: State, checkpoint: Checkpoint) -> State:
    strange = [key for key in state if key.partition(".")[0] not in KNOWN[name]]
    if strange:
        log.warning("%s: %s are of no use to part swap and left out.", checkpoint.path.name, join_names(strange))
    return {key: tensor for key, tensor in state.items() if key not in strange}


def _described(checkpoint: Checkpoint, parts: Checkpoint) -> tuple[PartSwapConfig, int]:
    """Read configuration and training size; plain FOMM weights are described as a FOMM's.

    A file with both segments and a dense motion network is vox-first-order's kind, unless its name speaks of segments.
    """
    if not _is_fomm(parts.components):
        config, size = describe(parts, DESCRIPTION)
        if "config" in parts.metadata:
            return config, size
        named_for_segments = "segments" in parts.path.name.lower()
        return replace(config, first_order=_has_motion(parts.components) and not named_for_segments), size
    config, size = describe(checkpoint, FOMM_DESCRIPTION)
    try:
        return from_fomm(config), size
    except UNREADABLE as error:
        raise CheckpointError(f"{checkpoint.path}: {reason_of(error)}. Choose published weights.") from error


def _is_fomm(states: Mapping[str, State]) -> bool:
    return _has_motion(states) and "segmentation.weight" not in states["segmentation_module"]


def _has_motion(states: Mapping[str, State]) -> bool:
    return any(key.startswith(MOTION) for key in states["reconstruction_module"])


def _without_motion(parts: Checkpoint) -> Checkpoint:
    """Drop FOMM's dense motion network, which a file may contain though its flow comes from segments."""
    states = dict(parts.components)
    states["reconstruction_module"] = {k: t for k, t in states["reconstruction_module"].items() if MOTION not in k}
    return replace(parts, components=states)


def _published(name: str) -> PublishedWeights:
    """Describe one file; they are on file-sharing pages only."""
    return PublishedWeights(
        name=name,
        files=(f"{name}.pth.tar", f"{name}.safetensors"),
        page="https://github.com/AliaksandrSiarohin/motion-cosegmentation",
        licence="CC BY-NC",
        paper="Siarohin, Roy, Lathuilière, Tulyakov, Ricci, Sebe: Motion Supervised Co-Part Segmentation, 2020",
        earlier="checkpoints",
    )


PARTSWAP = Architecture(
    id="partswap",
    name="Part Swap (Co-Part Segmentation)",
    matches=any_of(
        all_of(has_keys("reconstruction_module", "first."), has_keys("segmentation_module", "segmentation.", "shift.")),
        all_of(has_keys("generator", "first."), has_keys("kp_detector", "semantic_seg.", "kp.")),
    ),
    published=(
        *(_published(f"vox-{count}segments") for count in (10, 5, 15)),
        # FOMM's weights swap parts too, under the names that the earlier pack gave them there
        replace(VOX, name="vox-cpk"),
        replace(VOX_ADV, name="vox-adv-cpk"),
        _published("vox-first-order"),
    ),
    load=load,
    also_reads=(FOMM,),
    options=frozenset(
        {
            *("aligned_sampling", "scale_factor"),
            *("parts", "face_parts", "face_parser", "target_mask", "hard_edges", "blend_scale"),
        }
    ),
)
