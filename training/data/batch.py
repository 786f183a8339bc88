"""Samples of a data set of videos, alone and as batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PairItem(NamedTuple):
    """Two frames of one video (3, H, W), float32 in [0, 1]; `draw` is the sample's number since the run began."""

    source: Tensor
    driving: Tensor
    draw: int


class Batch(NamedTuple):
    """Pairs of frames (B, 3, H, W), float32 in [0, 1], and the numbers of their samples (B), int64, on the CPU."""

    source: Tensor
    driving: Tensor
    draws: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move the pictures to a device, without waiting for it where they are pinned."""
        source, driving = (part.to(device, non_blocking=True) for part in (self.source, self.driving))
        return Batch(source, driving, self.draws)


def collate(items: Sequence[PairItem]) -> Batch:
    """Join samples to a batch."""
    draws = torch.tensor([item.draw for item in items], dtype=torch.int64)
    return Batch(torch.stack([item.source for item in items]), torch.stack([item.driving for item in items]), draws)
