"""View of a picture: what is animated of it, and how that is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..animation.faces.paste import Paster
from ..animation.faces.square import Square
from ..animation.full_size import cut_out, for_squares
from ..animation.media.picture import eight_bit_pictures
from ..animation.options import AnimateOptions
from ..core.types import Animator

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB


def middle_square(picture: Tensor) -> Tensor:
    """Cut the largest square in its middle out of a picture (1, H, W, C)."""
    height, width = picture.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side]


class View:
    """Picture (1, H, W, C) that is animated as it is, or one of uint8 in which `squares` are, each in its place.

    What pasting needs is computed once.
    """

    def __init__(self, picture: Tensor, squares: Sequence[Square] = ()) -> None:
        self._picture, self._squares = picture, squares
        self._whole = picture[0].movedim(-1, 0)  # whose copies have the layout of pictures that are encoded
        self._paster = Paster(squares, (picture.shape[1], picture.shape[2])) if squares else None

    def sources(self, animator: Animator, options: AnimateOptions) -> tuple[list[Tensor], AnimateOptions]:
        """Return what a model animates, pictures (1, H, W, C), and the options for them. Raises InputError."""
        if not self._squares:
            return [self._picture], options
        side, options = for_squares(animator, self._squares, options)
        return [cut_out(self._picture, square, side) for square in self._squares], options

    def show(self, drawn: Tensor) -> Pixels:
        """Make one picture of the animated sources (N, 3, S, S), float in [0, 1] on the CPU."""
        if self._paster is None:
            return eight_bit_pictures(drawn)[0]
        return self._paster.paste(self._whole, [*drawn]).movedim(0, -1).numpy()
