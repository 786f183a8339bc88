"""Preparation of the next item while the last one is used."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar, cast

from torch import Tensor

from ...core.types import Clip

T = TypeVar("T")

_END = object()


def prefetch(items: Iterable[T]) -> Generator[T, None, None]:
    """Yield the items in order, each taken by another thread while the one before it is in use.

    One item waits at most, so that memory stays flat. Errors come out where the item would have.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[T | object] = thread.submit(next, iterator, _END)
        try:
            while (item := waiting.result()) is not _END:
                waiting = thread.submit(next, iterator, _END)
                yield cast(T, item)
        finally:
            waiting.cancel()
            thread.submit(_close, iterator).result()


def _close(iterator: object) -> None:
    """Leave a generator's blocks, in the thread that entered them."""
    if isinstance(iterator, Generator):
        with closing(cast(Generator[object, None, None], iterator)):
            pass


class PrefetchedClip:
    """Clip whose chunks are decoded while the ones before them are in use."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    def __len__(self) -> int:
        return len(self.clip)

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, H, W, C)."""
        return self.clip.frame(index)

    def chunks(self, size: int) -> Generator[Tensor, None, None]:
        """Yield all frames in order, `size` at a time."""
        return prefetch(self.clip.chunks(size))
