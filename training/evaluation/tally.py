"""Means over frames of numbers with names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Tally:
    """Means of named numbers, each added with how many frames it stands for."""

    sums: dict[str, float] = field(default_factory=dict[str, float])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: str, values: Tensor | Sequence[float]) -> None:
        """Add one value per frame (T,)."""
        numbers = torch.as_tensor(values, dtype=torch.float64)
        self.sums[name] = self.sums.get(name, 0.0) + float(numbers.sum())
        self.counts[name] = self.counts.get(name, 0) + len(numbers)

    def means(self) -> dict[str, float]:
        """Divide every sum by its count; names without any frame are left out."""
        return {name: value / self.counts[name] for name, value in self.sums.items() if self.counts[name]}
