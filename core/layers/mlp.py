"""Stacks of linear layers, and animation via disentanglement built of them (Articulated Animation, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def by_row(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Linear layers whose result for a row (B, ...) does not depend on how many come with it.

    On the CPU, PyTorch gives a product of another size to another kernel, whose sums round differently.
    """
    if x.device.type == "cpu" and not x.requires_grad:
        return torch.cat([layer(row) for row in torch.split(x, 1)])
    return layer(x)


class MLP(nn.Sequential):
    """Linear layers with BatchNorm (unless not `norm`) and ReLU between them; keys are those of a `Sequential`."""

    def __init__(self, widths: Sequence[int], norm: bool = True) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if norm else []), nn.ReLU()]
        super().__init__(*layers, nn.Linear(widths[-2], widths[-1]))

    def forward(self, input: Tensor) -> Tensor:
        """(B, widths[0]) -> (B, widths[-1])."""
        for layer in self:
            input = by_row(layer, input) if isinstance(layer, nn.Linear) else layer(input)
        return input


class AVDNetwork(nn.Module):
    """Gives one picture's shape the pose of another; both are rows of as many `numbers`."""

    def __init__(self, numbers: int, id_bottle_size: int, pose_bottle_size: int) -> None:
        super().__init__()
        self.id_encoder = MLP([numbers, 256, 512, 1024, id_bottle_size])
        self.pose_encoder = MLP([numbers, 256, 512, 1024, pose_bottle_size])
        self.decoder = MLP([pose_bottle_size + id_bottle_size, 1024, 512, 256, numbers])

    def forward(self, identity: Tensor, pose: Tensor) -> Tensor:
        """Rows (1 or B, numbers) whose shape, and rows (B, numbers) whose pose: (B, numbers), unbounded."""
        shape = self.id_encoder(identity).expand(pose.shape[0], -1)
        return self.decoder(torch.cat([self.pose_encoder(pose), shape], dim=1))
