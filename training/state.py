"""State of a run, to go on from exactly: written whole or not at all, and checked before anything of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.atomic_file import atomic_write
from ..core.errors import CheckpointError, join_names
from ..core.unfinished import make_folder
from .recipe import Recipe
from .saved import SavedFile, is_sound

STATE, MODEL = "state.pt", "model.safetensors"
"""Names of the state and of the newest model in the folder of a run."""

NEEDED = ("architecture", "config", "networks", "optimizers", "step", "seconds", "best", "stale")


@dataclass(slots=True)
class Counters:
    """Numbers of a run: steps and seconds of training done, the best evaluation and how many came since."""

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    stale: int = 0


def modules_of(recipe: Recipe) -> dict[str, nn.Module]:
    """List what has weights of its own to save, by name."""
    averaged = {} if recipe.averaged is None else {"averaged": recipe.averaged}
    return {**recipe.networks, **discriminators_of(recipe), **averaged}


def discriminators_of(recipe: Recipe) -> dict[str, nn.Module]:
    """List the discriminators, which one kind of run has, by name."""
    return {} if recipe.critic is None else recipe.critic.networks


def optimizers_of(recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """List all optimizers by name."""
    return {**recipe.optimizers, **recipe.critics}


def broken_parts(recipe: Recipe) -> list[str]:
    """List the networks and optimizers of which something is no number."""
    parts = {name: [*module.state_dict().items()] for name, module in modules_of(recipe).items()}
    broken = [name for name, values in parts.items() if not all(is_sound(key, value) for key, value in values)]
    for name, optimizer in optimizers_of(recipe).items():
        moments = [value for kept in optimizer.state.values() for value in kept.values()]
        if not all(bool(torch.isfinite(value).all()) for value in moments if isinstance(value, Tensor)):
            broken.append(name)
    return broken


def save_state(path: Path, recipe: Recipe, counters: Counters) -> None:
    """Write a state; a crash or a full disk in the middle leaves the old file whole."""
    content: dict[str, object] = {
        "architecture": recipe.architecture,
        "config": asdict(recipe.animator.config),
        "networks": {name: module.state_dict() for name, module in modules_of(recipe).items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers_of(recipe).items()},
        **asdict(counters),
    }
    write_torch(path, content)


def write_torch(path: Path, content: Mapping[str, object]) -> None:
    """Write a torch file whole or not at all; what the disk refuses is an OSError."""
    buffer = BytesIO()  # PyTorch's own writer would raise other errors
    torch.save(dict(content), buffer)
    make_folder(path.parent)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())


def load_state(path: Path, recipe: Recipe) -> Counters:
    """Read a state into a recipe's networks and optimizers; CheckpointError for any that is not whole and theirs."""
    start = path.with_name(MODEL)
    advice = f"Put a whole one back, or begin in a new folder, with --start {start} if that is whole."
    saved = SavedFile(path, "training state", advice)
    state = saved.entries(saved.content, "it")
    if "model_config" in state:
        raise CheckpointError(f"{path} was left by an older version. Begin in a new folder, with --start {start}.")
    if lacking := [name for name in NEEDED if name not in state]:
        saved.refuse(f"it lacks {join_names(lacking)}")
    if state["architecture"] != recipe.architecture or state["config"] != asdict(recipe.animator.config):
        raise CheckpointError(f"{path} was trained with another model; resume with the settings it began with.")
    modules, optimizers = modules_of(recipe), optimizers_of(recipe)
    networks = _named(saved, state["networks"], modules, "networks")
    moments = _named(saved, state["optimizers"], optimizers, "optimizers")
    read = {name: saved.network(networks[name], module.state_dict(), name) for name, module in modules.items()}
    steps = {name: saved.optimizer(moments[name], own) for name, own in optimizers.items()}
    counters = Counters(
        int(saved.number(state["step"], "its step", whole=True)),
        saved.number(state["seconds"], "its time"),
        None if state["best"] is None else saved.number(state["best"], "its best evaluation"),
        int(saved.number(state["stale"], "its number of evaluations", whole=True)),
    )
    for name, module in modules.items():
        module.load_state_dict(read[name])
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(steps[name])
    return counters


def _named(saved: SavedFile, value: object, own: Mapping[str, Any], what: str) -> dict[str, object]:
    """Return entries that have the names of a run's own."""
    entries = saved.entries(value, f"its {what}")
    if differing := sorted(entries.keys() ^ own.keys()):
        raise CheckpointError(
            f"{saved.path} does not go with these settings: of its {what} these are missing or too many: "
            f"{join_names(differing)}. Resume with the settings it began with, or begin in a new folder."
        )
    return entries
