"""Signals that ask a program to stop, and work that they may not tear apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOPPING: Final = tuple(signal.Signals[name] for name in NAMES if name in signal.Signals.__members__)
"""Those of them that this system has."""

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def undisturbed(at_most: int | None = None) -> Generator[Sequence[int], None, None]:
    """Put off signals until the block is over; for moments in which a stop would leave half of something.

    Yields those that have come, so that long work can end itself early. Of more than `at_most` the others act at once:
    whoever asks again will not wait.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which alone handles signals
        yield came
        return
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    replaced = {
        number: handler for number, handler in handlers.items() if callable(handler) or handler is signal.SIG_DFL
    }

    def note(received: int, _: FrameType | None) -> None:
        came.append(received)
        if at_most is not None and len(came) > at_most:
            signal.signal(received, replaced[signal.Signals(received)])
            signal.raise_signal(received)

    for number in replaced:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
