"""Logs of a run: a table that grows, goes on after a break, and TensorBoard's files where it is installed."""

from __future__ import annotations

import csv
import logging
import sys
from pathlib import Path

import pytest
import torch
from first_order_motion.training.logs import BOARD, LOG, Meter, RunLog


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open(newline="") as file:
        return [*csv.DictReader(file)]


@pytest.fixture
def without_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)


def test_means_are_over_the_steps_that_had_the_loss() -> None:
    meter = Meter()
    meter.add({"a": torch.tensor(1.0), "b": torch.tensor(4.0)})
    meter.add({"a": torch.tensor(2.0)})
    assert {name: value.item() for name, value in meter.means().items()} == {"a": 1.5, "b": 4.0}


@pytest.mark.usefixtures("without_board")
def test_a_new_loss_makes_a_new_column(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.begin(0)
    log.add(5, 30.0, {"a": 0.123456789})
    log.add(10, 60.0, {"a": 1.0, "b": 2.0})
    log.add(15, 90.0, {"b": 3.0})
    assert rows(tmp_path) == [
        {"step": "5", "minutes": "0.50", "a": "0.123457", "b": ""},
        {"step": "10", "minutes": "1.00", "a": "1", "b": "2"},
        {"step": "15", "minutes": "1.50", "a": "", "b": "3"},
    ]


@pytest.mark.usefixtures("without_board")
def test_a_run_that_goes_on_replaces_what_it_does_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = RunLog(tmp_path)
    log.begin(0)
    for step in (5, 10, 15):
        log.add(step, 1.0, {"a": float(step)})
    with (tmp_path / LOG).open("a") as file:
        file.write("2")  # as a crash leaves it
    again = RunLog(tmp_path)
    again.begin(10)
    again.add(15, 2.0, {"a": 0.0})
    assert [(row["step"], row["a"]) for row in rows(tmp_path)] == [("5", "5"), ("10", "10"), ("15", "0")]
    assert "TensorBoard is not installed" in caplog.text


def test_tensorboard_gets_numbers_and_pictures(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = RunLog(tmp_path)
    log.begin(0)
    log.add(5, 1.0, {"a": 0.5})
    log.picture(5, torch.rand(3, 8, 16))
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / BOARD))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("a")] == [(5, 0.5)]
    (picture,) = events.Images("sheet")
    assert (picture.step, picture.width, picture.height) == (5, 16, 8)
