"""From a checkpoint to a FOMM, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
import yaml

from ..core.errors import CheckpointError, InputError
from ..core.types import LoadOptions
from ..loading.reader import Checkpoint
from ..loading.strict import load_strict
from .animator import FOMMAnimator
from .config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig, from_published, from_states
from .limits import SCALES, check_limits, scales

PUBLISHED_SIZE = 256

# What reading a description can raise: texts that are none, sections or tensors that are not there or of other kinds.
UNREADABLE = (
    CheckpointError, OSError, yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, LookupError
)  # fmt: skip


def load(checkpoint: Checkpoint, options: LoadOptions) -> FOMMAnimator:
    """Build the network the checkpoint describes and load it strictly; raises CheckpointError."""
    config, size = read_config(checkpoint)
    if options.scale_factor is not None and options.scale_factor not in SCALES:
        raise InputError(f"The scale factor is {options.scale_factor}; {scales()} was wanted.")
    if options.scale_factor is not None and options.scale_factor != config.kp_detector.scale_factor:
        config = config.at_scale(options.scale_factor)
    if options.aligned_sampling is not None:
        config = replace(config, align_corners=options.aligned_sampling)
    with torch.device("meta"):  # a wrong description must cost no memory
        _fill(FOMMAnimator(config, size), checkpoint)
    return _fill(FOMMAnimator(config, size), checkpoint)


def _fill(animator: FOMMAnimator, checkpoint: Checkpoint) -> FOMMAnimator:
    for name in ("kp_detector", "generator"):
        load_strict(getattr(animator, name), checkpoint.components[name], f"{name} of {checkpoint.path.name}")
    return animator


def read_config(checkpoint: Checkpoint) -> tuple[FOMMConfig, int]:
    """Configuration and training size: from the file's own metadata, else from a YAML of the same stem
    beside it, else read off the tensors, with the published values for what tensors cannot show.
    """
    path = checkpoint.path
    beside = path.with_name(path.name.split(".")[0] + ".yaml")
    described = "config" in checkpoint.metadata
    name = beside.name if not described and beside.is_file() else path.name
    try:
        if described:
            config, size = from_metadata(checkpoint.metadata)
        elif name == beside.name:
            config, size = from_published(yaml.safe_load(beside.read_text("utf-8"))), PUBLISHED_SIZE
        else:
            states = checkpoint.components
            config, size = from_states(states["kp_detector"], states["generator"]), PUBLISHED_SIZE
        check_limits(config, size)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{name} does not describe a FOMM: {_told(error)}. Use the file as it was published."
        ) from error
    return config, size


def _told(error: Exception) -> str:
    """What is wrong, in one line."""
    text = f"it lacks {error.args[0]}" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split()).rstrip(".")


def describe(checkpoint: Checkpoint) -> dict[str, str]:
    """The metadata of a file that says all there is to know of a checkpoint; raises CheckpointError."""
    return to_metadata(*read_config(checkpoint))


def to_metadata(config: FOMMConfig, size: int) -> dict[str, str]:
    """What a safetensors file of ours says about its network."""
    return {"architecture": "fomm", "config": json.dumps(asdict(config)), "size": str(size)}


def from_metadata(metadata: Mapping[str, str]) -> tuple[FOMMConfig, int]:
    """Inverse of `to_metadata`; raises one of UNREADABLE where the text is not what that writes."""
    values: dict[str, Any] = json.loads(metadata["config"])
    kp_detector = KPDetectorConfig(**values.pop("kp_detector"))
    dense_motion = DenseMotionConfig(**values.pop("dense_motion"))
    generator = GeneratorConfig(**values.pop("generator"))
    config = FOMMConfig(**values, kp_detector=kp_detector, dense_motion=dense_motion, generator=generator)
    return config, int(metadata["size"])
