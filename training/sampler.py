"""Order of the samples of a run: batch by batch, the same for any number of processes, from any step on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

import torch
from torch.utils.data import Dataset, DistributedSampler, Sampler

from ..core.errors import InputError

Draw = tuple[int, int]
"""Index of a video, and number of the sample since the beginning of the run."""

LARGEST_SEED: Final = 2**31  # PyTorch's own sampler adds the epoch to it


class _Places(Dataset[int]):
    """Places of an epoch's samples, for a sampler that asks how many there are."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


class DrawSampler(Sampler[list[Draw]]):
    """Endless batches of draws, epoch after epoch; loaders need not stop where one ends.

    An epoch goes through `videos` times `repeats` samples in an order of its own and leaves out the rest after its last
    whole batch. The number of a sample is `epoch * length + place in that order`; of each batch of `share * world`
    samples every process gets its share, so that the batches are the same for any number of processes.
    """

    def __init__(
        self, videos: int, repeats: int, share: int, seed: int, rank: int = 0, world: int = 1, start: int = 0
    ) -> None:
        self.videos, self.share, self.rank, self.world, self.start = videos, share, rank, world, start
        self.length = videos * repeats
        self.steps = self.length // (share * world)
        if not self.steps:
            raise InputError(
                f"the data set has {videos} videos, {repeats} samples of each to an epoch; {share * world} samples or "
                "more, one batch, were wanted. Raise train_params.num_repeats, or lower train_params.batch_size."
            )
        self._order = DistributedSampler[int](
            _Places(self.length), world, rank, shuffle=True, seed=seed % LARGEST_SEED, drop_last=True
        )

    def __iter__(self) -> Iterator[list[Draw]]:
        first, skipped = divmod(self.start, self.steps)
        for epoch in count(first):
            self._order.set_epoch(epoch)
            mine = [*self._order]
            draws = [
                (sample % self.videos, epoch * self.length + place * self.world + self.rank)
                for place, sample in enumerate(mine)
            ]
            for step in range(skipped, self.steps):
                yield draws[step * self.share : (step + 1) * self.share]
            skipped = 0


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed PyTorch's own randomness for a step, so that a run that goes on from there draws the same."""
    torch.manual_seed(((seed * 1_000_003 + step) * 4096 + rank) % 2**63)  # pyright: ignore[reportUnknownMemberType]
