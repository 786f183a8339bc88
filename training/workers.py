"""Signals of the processes that read videos: a terminal sends them to all, and the first process alone acts on them."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import parent_process, resource_tracker
from threading import Thread

from ..core.signals import STOPPING


@contextmanager
def born_without_signals() -> Generator[None, None, None]:
    """Keep signals that ask for a stop from processes that begin in the block, as they import much before they work.

    Those for this process act after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow_parent(_worker: int) -> None:
    """Leave signals to the first process, as they are sent to all of a terminal, and end with it, whatever ends it."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is gone: PyTorch's own watch sees that late, and waiting batches hold it."""
    parent = parent_process()
    assert parent is not None  # this is a worker
    parent.join()
    os._exit(1)
