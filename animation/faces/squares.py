"""Squares of several faces through one picture or all pictures of a clip, and pasting into them one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from typing_extensions import Self

from .paste import Paster
from .square import Square


@dataclass(frozen=True, slots=True)
class FaceSquares:
    """Squares of the faces of pictures: for each face one for all pictures, or one for each of them.

    `size` is the pictures' (height, width).
    """

    faces: tuple[tuple[Square, ...], ...]
    size: tuple[int, int]

    @classmethod
    def still(cls, squares: Sequence[Square], size: tuple[int, int]) -> Self:
        """Create from one square for each face."""
        return cls(tuple((square,) for square in squares), size)

    def __len__(self) -> int:
        """Count the faces."""
        return len(self.faces)

    def of_picture(self, number: int) -> list[Square]:
        """Return each face's square in a picture; the last one where there are fewer."""
        return [squares[min(number, len(squares) - 1)] for squares in self.faces]

    def in_order(self, order: Sequence[int]) -> FaceSquares:
        """Return the squares of pictures that are shown in another order of their numbers."""
        faces = [squares if len(squares) == 1 else tuple(squares[place] for place in order) for squares in self.faces]
        return FaceSquares(tuple(faces), self.size)


class ClipPaster:
    """Paster of animated faces into picture after picture, whose squares may move; see `Paster`."""

    def __init__(self, squares: FaceSquares, feather: float, match_colour: bool) -> None:
        self._squares, self._feather, self._match_colour = squares, feather, match_colour
        self._places = squares.of_picture(0)
        self._paster = self._paster_for(self._places)

    def paste(self, number: int, picture: Tensor, crops: Sequence[Tensor]) -> Tensor:
        """Paste crops (C, s, s), float in [0, 1] and one for each face, into a copy of picture `number` (C, H, W)."""
        places = self._squares.of_picture(number)
        if places != self._places:
            self._places, self._paster = places, self._paster_for(places)
        return self._paster.paste(picture, crops)

    def mask(self) -> Tensor:
        """Show how much of each pixel of the last picture was pasted: (H, W) in [0, 1]."""
        return self._paster.mask()

    def _paster_for(self, places: Sequence[Square]) -> Paster:
        return Paster(places, self._squares.size, self._feather, self._match_colour)
