"""Progress bar with previews, and hooks for cancel and memory."""

from __future__ import annotations

import time

import comfy.model_management as management
from comfy.utils import ProgressBar
from PIL import Image
from torch import Tensor

from ...animation.options import Hooks

PREVIEW_SIDE = 512
SECONDS_BETWEEN_UPDATES = 0.1


def hooks() -> Hooks:
    """Make hooks to ComfyUI's cancel button and memory management."""
    return Hooks(
        check_cancelled=management.throw_exception_if_processing_interrupted,
        free_memory=management.soft_empty_cache,
    )


class Progress:
    """Progress bar of finished frames; shows the newest at most ten times a second, and always the last."""

    def __init__(self, total: int) -> None:
        self._bar = ProgressBar(total)
        self._total = total
        self._next = 0.0

    def update(self, done: int, frames: Tensor) -> None:
        """Report that `done` frames are finished; `frames` (B, H, W, 3) in [0, 1] are the newest of them."""
        now = time.monotonic()
        if now < self._next and done < self._total:
            return
        self._next = now + SECONDS_BETWEEN_UPDATES
        pixels = (frames[-1].cpu() * 255).byte().numpy()
        side = min(PREVIEW_SIDE, max(pixels.shape[:2]))  # a larger number would enlarge the picture
        self._bar.update_absolute(done, self._total, ("JPEG", Image.fromarray(pixels), side))


class VideoProgress:
    """Progress bar of a video that is written as it is made; its length is known with the first frames."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._newest: Tensor | None = None

    def show(self, pictures: Tensor) -> None:
        """Take pictures (B, 3, H, W), uint8 or float in [0, 1], for the preview at the next update."""
        self._newest = pictures[-1:]

    def update(self, done: int, total: int) -> None:
        """Report that `done` of `total` frames are written."""
        self._bar = self._bar or Progress(total)
        if self._newest is not None:
            white = 1 if self._newest.is_floating_point() else 255
            self._bar.update(done, self._newest.movedim(1, -1) / white)
