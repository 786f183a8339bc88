"""Optimizers of the published training codes: one Adam or several, and their learning rates by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from .video_params import VideoTrainParams

BETAS: Final = (0.5, 0.999)


@dataclass(frozen=True, slots=True)
class AdamRow:
    """Optimizer, under its name in published files: the networks it moves, in their order there, and its settings.

    `rate` is the setting of `train_params` that has its learning rate.
    """

    name: str
    networks: tuple[str, ...]
    rate: str
    weight_decay: float = 0.0

    def build(self, networks: Mapping[str, nn.Module], params: VideoTrainParams) -> torch.optim.Adam | None:
        """Make the optimizer of those of its networks that there are; None without any."""
        parameters = [value for name in self.networks if name in networks for value in networks[name].parameters()]
        if not parameters:
            return None
        return torch.optim.Adam(parameters, params.rates()[self.rate], BETAS, weight_decay=self.weight_decay)


def build_optimizers(
    rows: Sequence[AdamRow], networks: Mapping[str, nn.Module], params: VideoTrainParams
) -> dict[str, torch.optim.Optimizer]:
    """Make the optimizers of an architecture by name."""
    made = ((row.name, row.build(networks, params)) for row in rows)
    return {name: optimizer for name, optimizer in made if optimizer is not None}


def set_rates(
    rows: Sequence[AdamRow], optimizers: Mapping[str, torch.optim.Optimizer], params: VideoTrainParams, factor: float
) -> None:
    """Set the learning rates to those of the settings, times a factor."""
    for row in rows:
        if row.name in optimizers:
            for group in optimizers[row.name].param_groups:
                group["lr"] = params.rates()[row.rate] * factor
