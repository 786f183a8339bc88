"""Beginning of a run: its recipe, and the weights it starts from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from ..core.errors import CheckpointError, InputError, join_names
from ..core.weights.checkpoint import read_checkpoint, read_content
from ..module_fomm.drawn.network import DrawnAnimator
from .config import DrawnRunConfig, TrainingConfig, read_config
from .distributed import Ranks
from .drawn.recipe import DrawnRecipe
from .recipe import Recipe
from .saved import is_sound
from .state import discriminators_of
from .video_recipe import VideoRecipe

FREE = {"steps", "minutes", "num_epochs", "save_minutes", "checkpoint_freq", "keep", "log_every", "evaluate_every"} | {
    "patience",
    "dataloader_workers",
    "compile",
    "vgg",
}
"""Settings that may change in the middle of a run: no step becomes another by them."""

logger = logging.getLogger(__name__)


def make_recipe(config: TrainingConfig, ranks: Ranks) -> Recipe:
    """Make what a configuration describes, on the device of this process."""
    if not isinstance(config, DrawnRunConfig):
        return VideoRecipe(config, ranks)
    if ranks.world > 1:
        raise InputError(f"drawn faces train in one process; {ranks.world} were started. Start it without torchrun.")
    torch.manual_seed(config.train_params.seed)  # pyright: ignore[reportUnknownMemberType]
    model = DrawnAnimator(config.model_params, config.dataset_params.size)
    return DrawnRecipe(model, config.dataset_params, config.train_params, ranks.device)


def start_from(path: Path, recipe: Recipe) -> None:
    """Begin with every tensor of a checkpoint that has its place and shape in a recipe's networks, the rest anew."""
    parts: dict[str, Mapping[str, object]] = dict(read_checkpoint(path).components)
    modules = {**recipe.networks, **discriminators_of(recipe)}
    if recipe.critic is not None and path.suffix != ".safetensors":  # which hold no discriminators
        content = read_content(path)
        parts |= {name: cast(Mapping[str, object], content[name]) for name in recipe.critic.networks if name in content}
    found = {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}
    own = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    fitting = {
        name: value
        for name, value in found.items()
        if name in own and isinstance(value, Tensor) and own[name].shape == value.shape
    }
    if not fitting:
        raise CheckpointError(f"{path} has no tensor that this model has too. Begin with another file, or without.")
    if damaged := [name for name, value in fitting.items() if not is_sound(name, value)]:
        raise CheckpointError(
            f"{path} has values that no network can have ({join_names(damaged)}). Begin with another file."
        )
    with torch.no_grad():
        for name, value in fitting.items():
            own[name].copy_(value)
    recipe.average_anew()
    level = logging.INFO if 2 * len(fitting) >= len(own) else logging.WARNING
    logger.log(level, "began with %d of %d tensors from %s", len(fitting), len(own), path)


def changed_settings(path: Path, config: TrainingConfig | DrawnRunConfig) -> list[str]:
    """List the settings with which a run does not go on as it began, by the configuration that it left at `path`."""
    try:
        before = read_config(path)
    except (InputError, OSError):
        return []
    changed: list[str] = []
    for section in ("dataset_params", "train_params"):
        old, new = getattr(before, section), getattr(config, section)
        if type(old) is type(new):
            names = [field.name for field in fields(new) if field.name not in FREE]
            changed += [name for name in names if getattr(old, name) != getattr(new, name)]
    return changed
