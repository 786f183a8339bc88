"""Averages of weights over the steps of a run, which are calmer than the last ones alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Average = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]
"""Update of averaged tensors by current ones after so many updates; PyTorch's `AveragedModel` takes it."""


def moving_average(decay: float) -> Average:
    """Make an exponential moving average whose decay rises to `decay`: min(decay, (1 + n) / (10 + n)) after n updates.

    With the full decay from the beginning, a short run's average would still be what the run began with.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor) -> None:
        count = int(updates)
        share = 1 - min(decay, (1 + count) / (10 + count))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)

    return update
