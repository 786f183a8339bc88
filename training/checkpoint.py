"""Files of a training run: its whole state, to go on from, and the finished model, to ship."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..core.atomic_file import atomic_write
from ..core.errors import CheckpointError
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.convert import to_safetensors
from ..module_fomm.drawn.architecture import DRAWN
from ..module_fomm.drawn.network import DrawnAnimator
from .config import TrainConfig

logger = logging.getLogger(__name__)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state; a crash in the middle leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        torch.save(state, part)


def load_state(path: Path, config: TrainConfig) -> dict[str, Any]:
    """Read a training state that was made with the same model."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    if state.get("model_config") != asdict(config.model):
        raise CheckpointError(f"{path.name} was trained with another model; resume with the settings it began with.")
    if "optimizers" not in state:
        raise CheckpointError(
            f"{path.name} was left by an older version, whose optimizer was another. Begin in a new folder, with "
            f"--start {path.with_name('model.safetensors')}."
        )
    return state


def export(path: Path, model: DrawnAnimator, size: int) -> None:
    """Write the model as float16 safetensors, as `module_fomm.drawn.architecture.load` reads it."""
    checkpoint = Checkpoint(path, {"": model.state_dict()})
    to_safetensors(checkpoint, path, torch.float16, to_metadata(DRAWN.id, model.config, size))
    logger.info("wrote %s: %.2f MB", path, path.stat().st_size / 1e6)
