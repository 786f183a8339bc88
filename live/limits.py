"""Limits on what a page may send, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that a page is told, and those by which the server gives up on it.

    `messages_per_second` hold over about a second; frames beyond are left out, settings wait. A page that takes nothing
    for `slow_seconds` is let go; of those that wait for their turn there are `waiting` at most. `release_seconds` after
    the last page the model is freed.
    """

    upload_bytes: int = 32 * MEGABYTE
    recording_bytes: int = 2048 * MEGABYTE
    messages_per_second: int = 120
    waiting: int = 4
    slow_seconds: float = 10.0
    heartbeat_seconds: float = 30.0
    release_seconds: float = 5.0
    close_seconds: float = 2.0


class Bucket:
    """Allowance that fills `per_second` times a second, up to one second's worth, and is taken from message by message.

    `now` is the clock.
    """

    def __init__(self, per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = per_second, now
        self._left, self._at = float(per_second), now()

    def take(self) -> float:
        """Take one, and return 0; where none is left take none, and return the seconds until there is one."""
        now = self._now()
        self._left = min(float(self._rate), self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0
