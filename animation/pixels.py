"""Rendering by single pixels, for models whose pixels do not depend on each other: as many at a time as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.device import free_memory
from ..core.inference.precision import inference_mode
from ..core.types import Animator, Motion, Prepared
from .finite import mark_not_finite
from .out_of_memory import BackOff

DEFAULT_LIMIT = 65536
CPU_LIMIT = 4096  # pixels; more are no faster there, and take memory
MIN_PIXELS = 4096  # pixels; fewer leave a GPU idle, so that this many are tried even where they seem not to fit
MEMORY_FRACTION = 0.5  # of a GPU's free memory


def pixels_at_once(limit: int | None, query_bytes: int, device: torch.device) -> int:
    """Choose the number of pixels to decode at once: the limit, or fewer where more would not fit or not be faster."""
    limit = limit or DEFAULT_LIMIT
    if device.type == "cpu":
        return min(limit, CPU_LIMIT)
    free = free_memory(device)
    return limit if free is None else min(limit, max(MIN_PIXELS, int(MEMORY_FRACTION * free) // query_bytes))


@dataclass(frozen=True, slots=True)
class PixelRenderer:
    """Renderer of poses by single pixels, `at_once` of them; `back_off` halves that when memory runs out.

    It can be cancelled within a picture, which may take long.
    """

    animator: Animator
    prepared: Prepared
    size: tuple[int, int]
    at_once: int
    back_off: BackOff
    check_cancelled: Callable[[], None]

    def frames(self, motion: Motion) -> Iterator[Tensor]:
        """Yield the pictures (b, 3, H, W) of B poses in order, as many together as `at_once` has room for."""
        step = max(1, self.at_once // (self.size[0] * self.size[1]))
        for start in range(0, len(motion), step):
            yield self.render_batch(motion[start : start + step])

    @inference_mode()
    def render_batch(self, motion: Motion) -> Tensor:
        """Render the pictures (B, 3, H, W) of B poses together."""
        height, width = self.size
        queries = torch.arange(len(motion) * height * width, device=motion.points.device)
        colours: list[Tensor] = []
        for part in torch.split(queries, self.at_once):
            self.check_cancelled()
            colours += self.back_off.run(lambda part: self.animator.decode(self.prepared, motion, part).float(), part)
        pictures = torch.cat(colours).view(len(motion), height, width, 3).movedim(-1, 1)
        return mark_not_finite(pictures, self.animator, self.prepared, motion)
