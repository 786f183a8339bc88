"""Signals that ask a program to stop, and work that they may not tear apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOPPING: Final = tuple(signal.Signals[name] for name in NAMES if name in signal.Signals.__members__)
"""Those of them that this system has."""

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def undisturbed() -> Generator[None, None, None]:
    """Put off signals until the block is over; for moments in which a stop would leave half of something."""
    if threading.current_thread() is not threading.main_thread():  # which alone handles signals
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    replaced = {
        number: handler for number, handler in handlers.items() if callable(handler) or handler is signal.SIG_DFL
    }
    for number in replaced:
        signal.signal(number, lambda received, _: came.append(received))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
