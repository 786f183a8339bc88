"""Randomness of single samples: whatever is drawn for one comes from a run's seed and the sample's number alone."""

from __future__ import annotations

import numpy as np
import torch


def generator_for(seed: int, *numbers: int) -> torch.Generator:
    """Make a generator on the CPU for one use of randomness; other seeds or numbers give unrelated streams.

    All are 0 or more. `numbers` are, say, a sample's number since the beginning of the run and a purpose.
    """
    state = np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))  # a whole number below 2**63 is wanted


def uniform(generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    """Draw a number from `low` to `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def whole(generator: torch.Generator, count: int) -> int:
    """Draw a whole number from 0 to `count` - 1."""
    return int(torch.randint(count, (), generator=generator))
