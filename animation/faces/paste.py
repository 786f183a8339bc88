"""Pasting of animated squares back into the picture that they were cut from, without a seam.

Each square counts fully in its middle and fades out towards its rounded edge; beyond that edge nothing is touched. At
a pixel that several squares cover, the one counts whose middle is nearest, measured by the squares' sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.errors import InputError
from .square import Square, resized, to_square

DEFAULT_FEATHER = 0.12  # of the side
_ROUNDING = 0.5  # radius of the corners, as a part of half the side
_SOFTNESS = 0.1  # in which one square takes over from the next, as a part of half the side
_RIM = 0.5  # pixels that count for less than this are the rim


@dataclass(frozen=True, slots=True)
class Patch:
    """Part of a picture that one square changes: rows and columns, and how much it counts there, (h, w) in [0, 1]."""

    square: Square
    rows: slice
    columns: slice
    weight: Tensor

    def bring(self, crop: Tensor) -> Tensor:
        """Resample an animated square, float (C, s, s), to the pixels of the patch: (C, h, w)."""
        side = max(1, round(self.square.side))
        if self.square.is_aligned:
            rows = _shifted(self.rows, -round(self.square.y - side / 2))
            columns = _shifted(self.columns, -round(self.square.x - side / 2))
            interleaved = crop[None].contiguous(memory_format=torch.channels_last)  # as most pictures are; it is faster
            return resized(interleaved, (side, side))[0, :, rows, columns]
        fitted = resized(crop[None], (side, side)) if side < crop.shape[-1] else crop[None]
        u, v = to_square(self.square, *_centres(self.rows, self.columns, crop.device))
        return F.grid_sample(fitted, torch.stack((u, v), -1)[None], "bilinear", "border", align_corners=False)[0]

    def change(self, under: Tensor, crop: Tensor, match_colour: bool) -> Tensor:
        """Compute what pasting adds to the pixels of the patch, float (C, h, w) `under` it: (C, h, w)."""
        difference = self.bring(crop) - under
        if match_colour:
            rim = self.weight * (self.weight < _RIM)
            difference = difference - (difference * rim).sum((1, 2), keepdim=True) / rim.sum().clamp_min(1e-6)
        return difference * self.weight


class Paster:
    """Paster of animated squares into pictures of one size (height, width), on one device.

    `feather` is the width of the fading edge as a part of the side, in [0, 0.5]; with `match_colour` each square's
    colours are shifted so that its rim has the mean colour of what it covers. Raises InputError for another feather.
    """

    def __init__(
        self,
        squares: Sequence[Square],
        size: tuple[int, int],
        feather: float = DEFAULT_FEATHER,
        match_colour: bool = False,
        device: torch.device | None = None,
    ) -> None:
        if not 0 <= feather <= 0.5:
            raise InputError(f"is {feather:g}; 0 to 0.5 of the side was wanted. 0.12 hides seams well.", "feather")
        self.size, self._match_colour = size, match_colour
        device = device or torch.device("cpu")
        self.patches = [_patch(number, squares, size, feather, device) for number in range(len(squares))]

    def paste(self, picture: Tensor, crops: Sequence[Tensor]) -> Tensor:
        """Paste crops (C, s, s), float in [0, 1] and one for each square, into a copy of a picture (C, H, W).

        The picture is float in [0, 1], or uint8, and stays so. Pixels outside the patches keep their bits.
        """
        pasted, whole = picture.clone(), picture.dtype == torch.uint8
        for patch, crop in zip(self.patches, crops, strict=True):
            if 0 in patch.weight.shape:
                continue  # the square lies outside the picture
            under = picture[:, patch.rows, patch.columns].float()
            change = patch.change(under, crop.float() * 255 if whole else crop.float(), self._match_colour)
            place = pasted[:, patch.rows, patch.columns]
            after = place.float() + change
            place.copy_(after.round_().clamp_(0, 255) if whole else torch.where(change == 0, place, after.clamp_(0, 1)))
        return pasted

    def mask(self) -> Tensor:
        """Show how much of each pixel is pasted, by all squares together: (H, W) in [0, 1]."""
        mask = torch.zeros(self.size)
        for patch in self.patches:
            mask[patch.rows, patch.columns] += patch.weight.cpu()
        return mask.clamp_(0, 1)


def _patch(
    number: int, squares: Sequence[Square], size: tuple[int, int], feather: float, device: torch.device
) -> Patch:
    square = squares[number]
    height, width = size
    rows = _covered(square.y, square.reach, height)
    columns = _covered(square.x, square.reach, width)
    x, y = _centres(rows, columns, device)
    weight = _fading(square, x, y, feather)
    distance = torch.hypot(*to_square(square, x, y))
    for other in (other for place, other in enumerate(squares) if place != number):
        nearer = (0.5 + (torch.hypot(*to_square(other, x, y)) - distance) / (2 * _SOFTNESS)).clamp_(0, 1)
        weight = weight * (1 - _fading(other, x, y, feather) * (1 - nearer))
    return Patch(square, rows, columns, weight)


def _covered(middle: float, reach: float, length: int) -> slice:
    """List the pixels of a line of `length` that a square covers, at least in part."""
    first, last = (min(length, max(0, edge)) for edge in (math.floor(middle - reach), math.ceil(middle + reach)))
    return slice(first, max(first, last))


def _shifted(pixels: slice, by: int) -> slice:
    return slice(pixels.start + by, pixels.stop + by)


def _centres(rows: slice, columns: slice, device: torch.device) -> tuple[Tensor, Tensor]:
    """Make the places x and y, (h, w) each, of the middles of pixels."""
    y = torch.arange(rows.start, rows.stop, device=device, dtype=torch.float32) + 0.5
    x = torch.arange(columns.start, columns.stop, device=device, dtype=torch.float32) + 0.5
    across, down = torch.meshgrid(x, y, indexing="xy")
    return across, down


def _fading(square: Square, x: Tensor, y: Tensor, feather: float) -> Tensor:
    """Compute how much a square counts at places: 1 in the middle, 0 from its rounded edge on, smooth between."""
    u, v = (place.abs() - (1 - _ROUNDING) for place in to_square(square, x, y))
    outside = torch.hypot(u.clamp_min(0), v.clamp_min(0)) + torch.maximum(u, v).clamp_max(0)
    depth = ((_ROUNDING - outside) / max(2 * feather, 1e-6)).clamp_(0, 1)
    return depth * depth * (3 - 2 * depth)
