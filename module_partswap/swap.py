"""Choice of the parts to swap, and their blend mask (the paper's video editing, section 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.layers.antialias import AntiAliasInterpolation2d

Parse = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Swap:
    """User's choices for a swap.

    `chosen` are numbers of segments, 0 the background's; None is all parts but that. `parse`, a face parser
    ((B, 3, H, W) in [0, 1] -> class probabilities (B, C, h, w)), takes the segments' place in the mask; the numbers
    are then its classes. `from_source`: the source's parts are cut out and moved along the flow; else
    the target's own parts are where the source shows. `hard_edges` makes the mask 0 or 1, then `blend_scale` blurs it.
    """

    chosen: tuple[int, ...] | None = None
    from_source: bool = True
    hard_edges: bool = False
    blend_scale: float = 1.0
    parse: Parse | None = None

    def __post_init__(self) -> None:
        if not 0 < self.blend_scale <= 1:
            raise InputError(f"is {self.blend_scale}; more than 0 and at most 1 was wanted.", "blend_scale")

    def mask(self, segments: Tensor) -> Tensor:
        """Compute the blend mask (B, 1, h', w') in [0, 1] from segments or classes (B, C, h, w)."""
        count = segments.shape[1]
        chosen = range(1, count) if self.chosen is None else self.chosen
        if not all(0 <= number < count for number in chosen):
            raise InputError(f"Part {max(chosen)} was chosen; there are parts 0 to {count - 1}. Choose among these.")
        parts = [segments[:, number : number + 1] for number in chosen]  # a list of indices would be uploaded each time
        mask = torch.cat([segments[:, :0], *parts], dim=1).sum(dim=1, keepdim=True)
        if self.hard_edges:
            mask = (mask > 0.5).to(segments)
        return blur(mask, self.blend_scale)


def blur(mask: Tensor, scale: float) -> Tensor:
    """Blur masks (B, 1, h, w) by the anti-alias filter of a scale; at 1 they stay as they are.

    sigma = (1/s - 1)/2, 2 round(4 sigma) + 1 taps, every int(1/s)-th pixel: from 0.8 up one tap, below it three,
    and fewer pixels only from 0.5 down.
    """
    return mask if scale == 1 else _filter(scale, mask.device)(mask)


@cache
def _filter(scale: float, device: torch.device) -> AntiAliasInterpolation2d:
    return AntiAliasInterpolation2d(1, scale).to(device)
