"""The order of samples: every sample once an epoch, the same batches for any number of processes and from any step."""

from __future__ import annotations

from itertools import islice

import pytest
from first_order_motion.core.errors import InputError
from first_order_motion.training.sampler import DrawSampler


def batches(count: int, share: int = 4, rank: int = 0, world: int = 1, start: int = 0) -> list[list[tuple[int, int]]]:
    return [*islice(DrawSampler(5, 3, share, 7, rank, world, start), count)]


def test_an_epoch_draws_every_sample_once() -> None:
    sampler = DrawSampler(5, 3, 5, 7)
    assert (sampler.steps, sampler.length) == (3, 15)
    drawn = [sample for batch in islice(sampler, 6) for sample in batch]
    assert sorted(index for index, _ in drawn[:15]) == sorted([*range(5)] * 3)
    assert [number for _, number in drawn] == [*range(30)]
    assert [index for index, _ in drawn[:15]] != [index for index, _ in drawn[15:]]


def test_the_rest_of_an_epoch_is_left_out() -> None:
    numbers = [number for batch in batches(6) for _, number in batch]
    assert numbers == [*range(12), *range(15, 27)]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_batches_of_one(world: int) -> None:
    alone = batches(7)
    ranks = [batches(7, 4 // world, rank, world) for rank in range(world)]
    for step, batch in enumerate(alone):
        assert sorted(batch) == sorted(sample for rank in ranks for sample in rank[step])


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_later_start_goes_on_in_the_same_order(start: int) -> None:
    assert batches(4, start=start) == batches(4 + start)[start:]


def test_fewer_samples_than_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match=r"5 videos, 3 samples of each to an epoch; 16 samples or more, one batch"):
        DrawSampler(5, 3, 8, 0, world=2)
