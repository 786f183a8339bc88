"""Recovery from running out of memory: the same work again, in smaller parts where it has any."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import torch
from typing_extensions import Self

from ..core.errors import FirstOrderError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Rows(Protocol):
    """Batch that can be cut into parts."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, rows: slice, /) -> Self:
        """Select some of the rows."""
        ...


Batch = TypeVar("Batch", bound=Rows)

# CUDA and MPS; the CPU on Linux and on Windows; CUDA's libraries
TEXTS = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


class OutOfMemoryError(FirstOrderError, torch.OutOfMemoryError, MemoryError):
    """Memory that ran out for the smallest piece of work, too.

    It is PyTorch's and Python's error of that kind as well, so that whoever waits for one of these frees memory.
    """

    def __init__(self, work: str) -> None:
        super().__init__(
            f"Memory ran out while {work}, and again after all that was not needed had been freed. "
            "Choose a smaller size, close other programs, or work on the CPU."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Recognise the out-of-memory errors of CUDA, MPS and the CPU allocators, and Python's own."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(known in text for known in TEXTS)


def try_twice(step: Callable[[], T], free_memory: Callable[[], None], work: str) -> T:
    """Return a step's result, after a second try where memory runs out; `work` says in messages what the step does.

    Raises OutOfMemoryError; other errors pass through.
    """
    result = _attempt(step)
    if result is None:
        _free(free_memory, work)
        result = _attempt(step)
    if result is None:
        raise OutOfMemoryError(work)
    return result[0]


class BackOff:
    """Runner of a step on batches, halved for good when memory runs out; other errors pass through.

    `what` names the items in messages; `ran_out` is called with each reduced batch size. Raises OutOfMemoryError where
    memory runs out for a single item, even after it was freed.
    """

    def __init__(
        self, free_memory: Callable[[], None], what: str = "frames", ran_out: Callable[[int], None] = lambda limit: None
    ) -> None:
        self._free_memory, self._what, self._ran_out = free_memory, what, ran_out
        self._limit: int | None = None

    def run(self, step: Callable[[Batch], T], batch: Batch) -> Iterator[T]:
        """Yield the step's results for a batch, in order, in as many parts as memory requires."""
        start, freed = 0, False
        while start < len(batch):
            part = batch[start : start + (self._limit or len(batch))]
            result = _attempt(lambda part=part: step(part))
            if result is not None:
                start, freed = start + len(part), False
                yield result[0]
            elif freed and len(part) == 1:
                raise OutOfMemoryError(f"working on {self._what} one at a time")
            else:
                self._retreat(len(part))
                freed = True
            del result  # not held while the next part is made

    def _retreat(self, count: int) -> None:
        """Halve the batch of `count` that did not fit, and free memory."""
        if count == 1:
            _free(self._free_memory, f"working on {self._what} one at a time")
            return
        self._limit = count // 2
        log.warning("Out of memory with %d %s at once; going on with %d.", count, self._what, self._limit)
        self._ran_out(self._limit)
        self._free_memory()


def _free(free_memory: Callable[[], None], work: str) -> None:
    log.warning("Out of memory while %s; freeing what is not needed, and trying again.", work)
    free_memory()


def _attempt(step: Callable[[], T]) -> tuple[T] | None:
    """Return a step's result; None where memory ran out.

    Callers go on outside the handler, where the error's traceback no longer holds the failed attempt's tensors.
    """
    try:
        return (step(),)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None
