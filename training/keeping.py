"""Models that a run leaves: the newest, the best, and copies of the last few."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..core.atomic_file import atomic_write
from ..core.unfinished import make_folder
from .recipe import Recipe
from .state import MODEL, write_torch

BEST, COPIES = "best.safetensors", "checkpoints"
"""Names of the best model by evaluation, and of the folder of copies, in the folder of a run."""

SAFETENSORS, PUBLISHED = "safetensors", "published"
LAYOUTS: Final = (SAFETENSORS, PUBLISHED)
"""Layouts of the copies: ours, and the authors' own, with optimizers and discriminator."""

_NUMBERED: Final = re.compile(r"\d{8}\D.*", re.ASCII)


class Keeper:
    """Writer of a recipe's models in the folder of a run; each appears whole or not at all.

    Copies are in a `layout`; of these only the newest few are kept. Raises OSError where the disk refuses.
    """

    def __init__(self, recipe: Recipe, folder: Path, layout: str = SAFETENSORS) -> None:
        self._recipe, self._folder, self._layout = recipe, folder, layout

    def keep(self, step: int) -> None:
        """Write the model after so many steps, and remove the copies that are too many."""
        newest = self._folder / MODEL
        self._recipe.export(newest)
        if not self._recipe.params.keep:
            return
        copies = self._folder / COPIES
        make_folder(copies)
        if self._layout == PUBLISHED:
            name, content = self._recipe.published(step)
            write_torch(copies / name, content)
        else:
            with atomic_write(copies / f"{step:08d}{newest.suffix}") as part:
                shutil.copyfile(newest, part)
        numbered = sorted(path for path in copies.iterdir() if _NUMBERED.fullmatch(path.name))
        for old in numbered[: -self._recipe.params.keep]:
            with suppress(FileNotFoundError):
                old.unlink()

    def keep_best(self) -> None:
        """Write the model as the best so far."""
        self._recipe.export(self._folder / BEST)
