"""MRFA: its published files, the keys that identify them, and how they become a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..core.types import LoadOptions
from ..core.weights.architecture import RELATIVE_JACOBIAN, Architecture, any_of, has_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint, State
from ..core.weights.config import Description, describe
from .animator import MRFAAnimator
from .config import BACKGROUND_KEY, BOUNDS, PUBLISHED_SIZE, MRFAConfig, from_published, from_state

PART = "model"
# the losses' networks, which published files hold beside the model's own; one of their kernels is NaN
TRAINING_ONLY = re.compile(r"vgg\.(mean|std|slice[1-5]\.\d+\.(weight|bias))|pyramid\.downs\.[\d-]+\.weight")


def load(checkpoint: Checkpoint, _options: LoadOptions) -> MRFAAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError.

    What only training needs is left out.
    """
    checkpoint = inference_only(checkpoint)
    config, _ = describe(checkpoint, DESCRIPTION)
    # the tensors tell: the YAML of both published files says the same of the background
    known = BACKGROUND_KEY in checkpoint.components[PART]
    return build_strict(lambda: MRFAAnimator(replace(config, has_background=known)), checkpoint, (PART,))


def inference_only(checkpoint: Checkpoint) -> Checkpoint:
    """Reduce a checkpoint to one component, "model", without what only training needs."""
    whole = checkpoint.components.get(PART) or checkpoint.components[""]
    state = {key: tensor for key, tensor in whole.items() if not TRAINING_ONLY.fullmatch(key)}
    return replace(checkpoint, components={PART: state})


def _from_states(states: Mapping[str, State]) -> MRFAConfig:
    return from_state(states[PART])


DESCRIPTION = Description(
    name="MRFA model",
    kind=MRFAConfig,
    from_published=from_published,
    from_states=_from_states,
    size_of=lambda _checkpoint, _published: PUBLISHED_SIZE,  # what the network works at is in its configuration
    bounds=BOUNDS,
)


def _published(name: str) -> PublishedWeights:
    """Describe one file; they are on file-sharing pages only."""
    return PublishedWeights(
        name=name,
        files=(f"{name}.pth", f"mrfa-{name}.pth", f"mrfa-{name}.safetensors"),
        page="https://github.com/JialeTao/MRFA",
        paper="Tao, Gu, Li, Duan: Learning Motion Refinement for Unsupervised Face Animation, NeurIPS 2023",
        earlier="module_mrfa/models",
    )


MRFA = Architecture(
    id="mrfa",
    name="MRFA",
    matches=any_of(
        *(has_keys(name, "encoder.pre_feature.", "dense_motion.", "decoder.generator.") for name in (PART, "")),
    ),
    published=(_published("vox"), _published("celebvhq")),
    load=load,
    trim=inference_only,
    options=RELATIVE_JACOBIAN | {"background"},
)
