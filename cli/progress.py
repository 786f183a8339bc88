"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from tqdm import tqdm

BAR_DELAY = 0.3  # seconds; work that ends sooner shows no bar


@contextmanager
def progress_bar(unit: str) -> Generator[Callable[[int, int | None], None], None, None]:
    """Show a bar and yield the function that updates it, by the amounts done and in total."""
    with tqdm(unit=unit, unit_scale=unit == "B", delay=BAR_DELAY) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
