"""Stacks of linear layers, and animation via disentanglement built of them (Articulated Animation, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with ReLU, and with `norm` BatchNorm, between them; keys are those of a `Sequential`."""

    def __init__(self, widths: Sequence[int], norm: bool = True) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if norm else []), nn.ReLU()]
        super().__init__(*layers, nn.Linear(widths[-2], widths[-1]))


class AVDNetwork(nn.Module):
    """Network that gives one picture's shape the pose of another; both are rows of as many `numbers`."""

    def __init__(self, numbers: int, id_bottle_size: int, pose_bottle_size: int) -> None:
        super().__init__()
        self.id_encoder = MLP([numbers, 256, 512, 1024, id_bottle_size])
        self.pose_encoder = MLP([numbers, 256, 512, 1024, pose_bottle_size])
        self.decoder = MLP([pose_bottle_size + id_bottle_size, 1024, 512, 256, numbers])

    def forward(self, identity: Tensor, pose: Tensor) -> Tensor:
        """Join the shape of rows (1 or B, numbers) and the pose of rows (B, numbers): (B, numbers), unbounded."""
        shape = self.id_encoder(identity).expand(pose.shape[0], -1)
        return self.decoder(torch.cat([self.pose_encoder(pose), shape], dim=1))
