"""From a checkpoint to a FOMM, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import yaml

from ..core.errors import CheckpointError
from ..core.types import LoadOptions
from ..loading.reader import Checkpoint
from ..loading.strict import load_strict
from .animator import FOMMAnimator
from .config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig, from_published, from_states

PUBLISHED_SIZE = 256


def load(checkpoint: Checkpoint, options: LoadOptions) -> FOMMAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError."""
    config, size = read_config(checkpoint)
    if options.scale_factor is not None and options.scale_factor != config.kp_detector.scale_factor:
        config = config.at_scale(options.scale_factor)
    if options.aligned_sampling is not None:
        config = replace(config, align_corners=options.aligned_sampling)
    animator = FOMMAnimator(config, size)
    for name in ("kp_detector", "generator"):
        load_strict(getattr(animator, name), checkpoint.components[name], f"{name} of {checkpoint.path.name}")
    return animator


def read_config(checkpoint: Checkpoint) -> tuple[FOMMConfig, int]:
    """Configuration and training size: from the file's own metadata, else from a YAML of the same stem
    beside it, else read off the tensors, with the published values for what tensors cannot show.
    """
    if "config" in checkpoint.metadata:
        return from_metadata(checkpoint.metadata)
    path = checkpoint.path
    beside = path.with_name(path.name.split(".")[0] + ".yaml")
    if beside.is_file():
        return from_published(yaml.safe_load(beside.read_text("utf-8"))), PUBLISHED_SIZE
    try:
        return from_states(checkpoint.components["kp_detector"], checkpoint.components["generator"]), PUBLISHED_SIZE
    except KeyError as error:
        raise CheckpointError(
            f"{path.name} lacks {error.args[0]}, without which it is no FOMM checkpoint. Download it again."
        ) from error


def to_metadata(config: FOMMConfig, size: int) -> dict[str, str]:
    """What a safetensors file of ours says about its network."""
    return {"architecture": "fomm", "config": json.dumps(asdict(config)), "size": str(size)}


def from_metadata(metadata: Mapping[str, str]) -> tuple[FOMMConfig, int]:
    """Inverse of `to_metadata`; raises CheckpointError where the text is not what that writes."""
    try:
        values: dict[str, Any] = json.loads(metadata["config"])
        kp_detector = KPDetectorConfig(**values.pop("kp_detector"))
        dense_motion = DenseMotionConfig(**values.pop("dense_motion"))
        generator = GeneratorConfig(**values.pop("generator"))
        config = FOMMConfig(**values, kp_detector=kp_detector, dense_motion=dense_motion, generator=generator)
        return config, int(metadata["size"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The file's own description of its network cannot be read: {error}.") from error
