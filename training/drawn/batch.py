"""Dataclasses of tensors that share their first dimension, and seeded draws that fill them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", bound="Batch")


@dataclass(frozen=True)
class Batch:
    """A dataclass whose fields are tensors (B, ...) or batches of such tensors."""

    def map(self: T, change: Callable[[Tensor], Tensor]) -> T:
        """Apply `change` to every tensor in it, into a new dataclass of its kind."""
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            values[item.name] = value.map(change) if isinstance(value, Batch) else change(value)
        return type(self)(**values)

    def __getitem__(self: T, index: slice | Tensor) -> T:
        return self.map(lambda value: value[index])

    def repeat(self: T, times: int) -> T:
        """Repeat every entry `times` in a row: (B * times, ...)."""
        return self.map(lambda value: value.repeat_interleave(times, 0))

    def to(self: T, device: torch.device) -> T:
        return self.map(lambda value: value.to(device))


class Dice:
    """Seeded draws for `count` entries at once; always on the CPU, so that a seed means the same everywhere."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Draw numbers (B,) in [low, high]."""
        return low + (high - low) * torch.rand(self.count, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        """Draw flags (B,), 1 with the given probability, else 0."""
        return (torch.rand(self.count, generator=self.generator) < probability).float()

    def colour(self, saturation: tuple[float, float] = (0.1, 0.9), value: tuple[float, float] = (0.25, 1.0)) -> Tensor:
        """Draw colours (B, 3) of any hue, with saturation and value in the given ranges."""
        hue, low = self.uniform(0, 6), 1 - self.uniform(*saturation)
        shift = torch.tensor([0.0, 2.0, 4.0])
        ramp = ((hue[:, None] + shift) % 6 - 3).abs().sub(1).clamp(0, 1)
        return (low[:, None] + (1 - low[:, None]) * ramp) * self.uniform(*value)[:, None]

    def among(self, colours: Sequence[tuple[int, int, int]], jitter: float = 0.06) -> Tensor:
        """Draw colours (B, 3), each one of the given 8-bit colours, a little varied."""
        table = torch.tensor(colours) / 255
        chosen = table[torch.randint(len(table), (self.count,), generator=self.generator)]
        noise = torch.rand(self.count, 3, generator=self.generator) - 0.5
        return (chosen + 2 * jitter * noise).clamp(0, 1)


def either(flag: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Choose per entry `first` where `flag` (B,) is 1, else `second`; both (B,) or (B, C)."""
    return torch.where(flag.bool().view(-1, *[1] * (first.dim() - 1)), first, second)
