"""Averaged weights follow a short run, and are calm in a long one."""

from __future__ import annotations

import pytest
import torch
from first_order_motion.training.averages import moving_average
from torch import nn
from torch.optim.swa_utils import AveragedModel


def averaged_ramp(steps: int, decay: float) -> float:
    """The average of a weight that is 1, 2, 3, ... after each step, having begun with 0."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = AveragedModel(model, multi_avg_fn=moving_average(decay), use_buffers=True)
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.weight.fill_(step)
        average.update_parameters(model)
    return average.module.weight.item()


def test_a_short_run_is_not_averaged_with_its_beginning() -> None:
    assert averaged_ramp(100, 0.999) > 80  # with 0.999 from the beginning it would be 5


def test_a_long_run_is_averaged_with_the_decay_that_was_asked_for() -> None:
    lag = 1000 - averaged_ramp(1000, 0.9)
    assert lag == pytest.approx(0.9 / (1 - 0.9), rel=1e-3)  # of an exponential average of a ramp


def test_counters_are_taken_over() -> None:
    counters, current = torch.tensor([3]), torch.tensor([8])
    moving_average(0.9)([counters], [current], torch.tensor(50))
    assert counters.tolist() == [8]
