"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from torch import Tensor
from tqdm import tqdm

from ..core.types import Clip
from .stop import bars

BAR_DELAY = 0.3  # seconds; work that ends sooner shows no bar


class Progress(Protocol):
    """Function that updates a bar."""

    def __call__(self, done: int, total: int | None, note: str = "", /) -> None: ...


@contextmanager
def progress_bar(unit: str, label: str | None = None, initial: int = 0) -> Generator[Progress, None, None]:
    """Show a bar and yield the function that updates it, by the amounts done and in total, with a note beside it.

    `initial` is what was done in an earlier run.
    """
    bar = tqdm(desc=label, unit=unit, unit_scale=unit == "B", delay=BAR_DELAY, initial=initial)

    def progress(done: int, total: int | None, note: str = "") -> None:
        bar.total = total
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    bars.append(bar)
    try:
        yield progress
    finally:
        bar.close()
        bars.remove(bar)


class CountedClip:
    """Clip that reports how many of its frames have been read in a pass, and how many there are."""

    def __init__(self, clip: Clip, progress: Callable[[int, int], None]) -> None:
        self._clip, self._progress = clip, progress

    def __len__(self) -> int:
        return len(self._clip)

    def frame(self, index: int) -> Tensor:
        """Return one frame as (1, H, W, C)."""
        return self._clip.frame(index)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time."""
        done = 0
        for chunk in self._clip.chunks(size):
            yield chunk
            done += len(chunk)
            self._progress(done, len(self._clip))
