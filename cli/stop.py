"""Stops of the program by signals: at any time, even while it is still being imported, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing import active_children
from types import FrameType

from ..core.output_path import shown
from ..core.signals import STOPPING
from ..core.unfinished import clean_up

FIRST_STATUS = 128  # of a program that a signal stopped: the signal's number is added
SHOWN = 3

bars: list[object] = []
"""Progress bars that stand in the terminal's last line."""


def install_handlers() -> None:
    """Have signals that ask for a stop clean up first. Those that are ignored, as by nohup, stay ignored."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def farewell() -> str:
    """Remove what is unfinished, and say in a line what stays."""
    kept = clean_up()
    if not kept:
        return "stopped; nothing was left behind"
    names = ", ".join(shown(path) for path in kept[:SHOWN])
    more = f" and {len(kept) - SHOWN} more" if len(kept) > SHOWN else ""
    return f"stopped; kept: {names}{more}"


def _stop(number: int, _: FrameType | None) -> None:
    """Clean up and end the process, without waiting for what its threads are at.

    An exception would have to pass through whatever runs: imports take it for their own, threads are waited for.
    """
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)  # nothing disturbs the cleaning up
    for child in active_children():
        child.kill()  # those that read videos leave other signals alone, and hold nothing unfinished
    try:
        _say(farewell(), bars)
    finally:
        os._exit(FIRST_STATUS + number)


def _say(line: str, before: Sequence[object]) -> None:
    text = ("\n" if before else "") + line + "\n"
    os.write(2, text.encode(errors="backslashreplace"))  # `print` may be what was interrupted
