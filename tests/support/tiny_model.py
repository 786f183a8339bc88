"""What a `tests/module_NAME/tiny.py` is made of: rows that say how to build an architecture small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from first_order_motion.core.types import Animator

SIDE = 64  # pixels; of the tiny models and of the pictures made for them


@dataclass(frozen=True, slots=True)
class Tiny:
    """How to build an architecture small, and which of its modules sees what.

    `source_only` is a module that nothing but the source passes through (or also every driving frame, where
    `frames_too`), `motion` the one that reads poses.
    """

    build: Callable[[], Animator]
    source_only: str
    motion: str
    frames_too: bool = False
