"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

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
    bar = tqdm(desc=label, unit=unit, unit_scale=unit == "B", delay=BAR_DELAY, initial=initial, miniters=0)

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
