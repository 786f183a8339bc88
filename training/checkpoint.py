"""Files of a training run: its whole state, to go on from, and the finished model, to ship."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.atomic_file import atomic_write
from ..core.errors import CheckpointError, join_names
from ..core.unfinished import make_folder
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.convert import to_safetensors
from ..module_fomm.drawn.architecture import DRAWN
from ..module_fomm.drawn.network import DrawnAnimator
from .config import TrainConfig
from .saved import SavedFile

logger = logging.getLogger(__name__)

FILES = STATE, MODEL, LOG, SHEET = ("state.pt", "model.safetensors", "log.jsonl", "sheet.png")
"""Names of a run's files in its folder."""


@dataclass(frozen=True, slots=True)
class TrainState:
    """State of a run after some steps: weights, moments of the optimizers, steps and seconds done."""

    model: dict[str, Tensor]
    optimizers: list[dict[str, object]]
    step: int
    seconds: float


def save_state(path: Path, state: TrainState, config: TrainConfig) -> None:
    """Write a training state; a crash or a full disk in the middle leaves the old file whole."""
    buffer = BytesIO()  # what the disk refuses is an OSError here, and none from PyTorch's own writer
    torch.save({**vars_of(state), "model_config": asdict(config.model)}, buffer)
    make_folder(path.parent)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())


def vars_of(state: TrainState) -> dict[str, object]:
    """List the entries of a state by name."""
    return {field.name: getattr(state, field.name) for field in fields(state)}


def load_state(
    path: Path, config: TrainConfig, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> TrainState:
    """Read a training state for a model and its optimizers; CheckpointError for any that is not whole and theirs."""
    start = path.with_name(MODEL)
    advice = f"Put a whole one back, or begin in a new folder, with --start {start} if that is whole."
    saved = SavedFile(path, "training state", advice)
    state = saved.entries(saved.content, "it")
    if lacking := [name for name in ("model", "step", "seconds", "model_config") if name not in state]:
        saved.refuse(f"it lacks {join_names(lacking)}")
    if state["model_config"] != asdict(config.model):
        raise CheckpointError(f"{path} was trained with another model; resume with the settings it began with.")
    if "optimizers" not in state:
        raise CheckpointError(
            f"{path} was left by an older version, whose optimizer was another. Begin in a new folder, with "
            f"--start {start}."
        )
    found = saved.items(state["optimizers"], "its list of optimizers")
    if len(found) != len(optimizers):
        saved.refuse(f"it has {len(found)} optimizers, not {len(optimizers)}")
    return TrainState(
        saved.network(state["model"], model.state_dict(), "its model"),
        [saved.optimizer(one, own) for one, own in zip(found, optimizers, strict=True)],
        int(saved.number(state["step"], "its step", whole=True)),
        saved.number(state["seconds"], "its time"),
    )


def export(path: Path, model: DrawnAnimator, size: int) -> None:
    """Write the model as float16 safetensors, as `module_fomm.drawn.architecture.load` reads it."""
    checkpoint = Checkpoint(path, {"": model.state_dict()})
    to_safetensors(checkpoint, path, torch.float16, to_metadata(DRAWN.id, model.config, size))
    logger.info("wrote %s: %.2f MB", path, path.stat().st_size / 1e6)
