"""Processes that read videos: signals that ask for a stop do not reach them, and they end with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from first_order_motion.training.workers import born_without_signals
from support.training_runs import drawn_trainer


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no masks of signals")
def test_signals_pass_by_what_begins_in_the_block_and_come_after_it() -> None:
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGTERM, note)
    try:
        with born_without_signals():
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            os.kill(os.getpid(), signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGTERM]
        for number in (signal.SIGINT, signal.SIGTERM):
            child.send_signal(number)
        child.communicate(b"go on\n")
        assert child.returncode == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_lets_go_of_its_batches_before_signals_act(tmp_path: Path) -> None:
    trainer = drawn_trainer(tmp_path, steps=1, identities=1)
    batches, ended = trainer.recipe.batches, list[bool]()

    def watched(step: int) -> Iterator[Any]:
        try:
            yield from batches(step)
        finally:
            ended.append(True)

    trainer.recipe.batches = watched  # type: ignore[method-assign]
    trainer.run()
    assert ended == [True]
