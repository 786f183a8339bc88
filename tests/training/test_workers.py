"""Processes that read videos: signals that ask for a stop do not reach them, and they end with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from first_order_motion.training.workers import born_without_signals
from support.paths import ROOT
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
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # of other threads, any might take it
            assert came == []
        assert came == [signal.SIGTERM]
        for number in (signal.SIGINT, signal.SIGTERM):
            child.send_signal(number)
        child.communicate(b"go on\n")
        assert child.returncode == 0
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(os.name != "posix", reason="processes are killed as POSIX has it")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""
import multiprocessing, os, runpy, signal, time
runpy.run_path({str(ROOT / "animate.py")!r})["load_pack"]()
from first_order_motion.training.workers import born_without_signals, follow_parent

def work():
    follow_parent(0)
    os.kill(os.getpid(), signal.SIGTERM)
    print("ready", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    with born_without_signals():
        worker.start()
    worker.join()
""")
    parent = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
    parent.kill()
    assert parent.communicate(timeout=60)[0] == b""  # the worker, too, has closed it


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
