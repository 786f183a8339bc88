"""FOMM's weight files and their YAML, as they are published and as they must not be."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.errors import FirstOrderError
from first_order_motion.core.types import LoadOptions
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import FOMMConfig
from support.architectures import FOMM, SIDE, seeded
from torch import Tensor

COMPONENTS = ("generator", "kp_detector")
States = dict[str, dict[str, Tensor]]


def network(config: FOMMConfig = FOMM) -> FOMMAnimator:
    return seeded(FOMMAnimator(config, SIDE))  # type: ignore[return-value]


def states_of(animator: FOMMAnimator) -> States:
    return {name: dict(animator.get_submodule(name).state_dict()) for name in COMPONENTS}


def loaded(path: Path, options: LoadOptions | None = None) -> FOMMAnimator:
    return load_animator(path, "fomm", options)  # type: ignore[return-value]


def saved(content: object, path: Path, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def mapped(states: States, change: Callable[[str, Tensor], tuple[str, Tensor] | None]) -> States:
    """Every entry changed, or left out where the change gives None."""
    changed = {name: [change(key, value) for key, value in state.items()] for name, state in states.items()}
    return {name: OrderedDict(entry for entry in entries if entry) for name, entries in changed.items()}


def without(states: States, *ends: str) -> States:
    return mapped(states, lambda key, value: None if key.endswith(ends) else (key, value))


def assert_complaint(load: Callable[[], object], *says: str) -> None:
    """One line within two seconds, with all of `says` in it."""
    started = time.perf_counter()
    with pytest.raises(FirstOrderError) as caught:
        load()
    assert time.perf_counter() - started < 2
    text = str(caught.value)
    assert "\n" not in text
    assert all(part in text for part in says), text


def published_yaml(config: FOMMConfig, **other: object) -> dict[str, Any]:
    """The file as authors write it, with the sections that are none of our business."""
    kp, motion, generator = (asdict(part) for part in (config.kp_detector, config.dense_motion, config.generator))
    common = {"num_kp": config.num_kp, "num_channels": 3, "estimate_jacobian": config.estimate_jacobian}
    return {
        "dataset_params": {"root_dir": "data/vox-png", "frame_shape": [256, 256, 3]},
        "model_params": {
            "common_params": common,
            "kp_detector_params": kp,
            "generator_params": {**generator, "dense_motion_params": motion},
            "discriminator_params": {"scales": [1], "sn": True},
        },
        "train_params": {"num_epochs": 100},
        **other,
    }


def edited(section: str, **changes: object) -> str:
    config = published_yaml(FOMM)
    params = config["model_params"]
    part = params["generator_params"]["dense_motion_params"] if section == "dense_motion_params" else params[section]
    part.update(changes)
    return yaml.safe_dump(config)
