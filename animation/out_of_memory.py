"""Recovery from running out of memory: the same frames again, in smaller batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from ..core.types import Motion

log = logging.getLogger(__name__)

T = TypeVar("T")
Batch = TypeVar("Batch", Tensor, Motion)

# CUDA and MPS; the CPU on Linux and on Windows; CUDA's libraries
TEXTS = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Recognise the out-of-memory errors of CUDA, MPS and the CPU allocators, and Python's own."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(known in text for known in TEXTS)


class BackOff:
    """Runner of a step on batches, halved for good when memory runs out; other errors pass through.

    `what` names the items in messages; `ran_out` is called with each reduced batch size.
    """

    def __init__(
        self, free_memory: Callable[[], None], what: str = "frames", ran_out: Callable[[int], None] = lambda limit: None
    ) -> None:
        self._free_memory, self._what, self._ran_out = free_memory, what, ran_out
        self._limit: int | None = None

    def run(self, step: Callable[[Batch], T], batch: Batch) -> Iterator[T]:
        """Yield the step's results for a batch, in order, in as many parts as memory requires."""
        start = 0
        while start < len(batch):
            part = batch[start : start + (self._limit or len(batch))]
            result = self._attempt(step, part)
            if result is not None:
                start += len(part)
                yield result
            del result  # not held while the next part is made

    def _attempt(self, step: Callable[[Batch], T], part: Batch) -> T | None:
        try:
            return step(part)
        except (RuntimeError, MemoryError) as error:
            if len(part) == 1 or not is_out_of_memory(error):
                raise
        # Outside the handler: the error's traceback no longer holds the failed attempt's tensors.
        self._limit = len(part) // 2
        log.warning("Out of memory with %d %s at once; going on with %d.", len(part), self._what, self._limit)
        self._ran_out(self._limit)
        self._free_memory()
        return None
