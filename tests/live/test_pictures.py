"""Pictures of any size and shape, and what is shown of them."""

from __future__ import annotations

from itertools import starmap

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.detectors import NoFinder
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.square import Square, square_around
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.core.errors import InputError
from first_order_motion.live.pictures import MOST_KEPT, MOST_SHOWN, LivePicture, Pictures
from support.architectures import blobs, tiny
from support.live import FakeFinder, Pixels
from torch import Tensor

RATIO = 0.25
TWO = (Face(100, 40, 140, 90), Face(10, 20, 40, 50))  # the larger one on the right


def picture(height: int, width: int, *faces: Face) -> LivePicture:
    return Pictures(FakeFinder(*faces), RATIO).add(blobs(1, height, width), "blobs")


def shown(picture: LivePicture, wished: str | None = None, faces: str = "largest") -> Pixels:
    """What the page gets where the animated squares are black."""
    view = picture.view(picture.part(wished, faces))
    sources, _ = view.sources(tiny("fomm"), AnimateOptions())
    return view.show(torch.zeros(len(sources), 3, 16, 16))


def source(picture: LivePicture, wished: str | None = None, faces: str = "largest") -> Tensor:
    [one], _ = picture.view(picture.part(wished, faces)).sources(tiny("fomm"), AnimateOptions())
    return one


def dark(pixels: Pixels, face: Face) -> bool:
    x, y = map(int, face.centre)
    return not pixels[y - 3 : y + 3, x - 3 : x + 3].any()


def test_a_square_picture_is_animated_as_it_is_and_no_face_is_looked_for() -> None:
    finder = FakeFinder(*TWO)
    one = Pictures(finder, RATIO).add(blobs(1, 100, 100), "blobs")
    part = one.part(None, "largest")
    assert (part.shown, part.choice, part.found, part.note) == ("square", "", (), "")
    assert torch.equal(source(one), one.pixels)
    assert finder.asked == 0


def test_a_square_picture_is_whole_where_that_is_wished() -> None:
    one = picture(200, 200, *TWO)
    assert shown(one, "whole").shape == (200, 200, 3)
    assert dark(shown(one, "whole"), TWO[0]) and not dark(shown(one, "whole"), TWO[1])


@pytest.mark.parametrize(
    ("faces", "choice", "moving"), [("largest", "1", [0]), ("0", "0", [1]), ("all", "all", [0, 1])]
)
def test_other_pictures_are_whole_with_the_chosen_faces_in_their_places(
    faces: str, choice: str, moving: list[int]
) -> None:
    one = picture(120, 160, *TWO)
    part = one.part(None, faces)
    assert (part.shown, part.choice) == ("whole", choice)
    left, right = part.found
    assert left == pytest.approx((10 / 160, 20 / 120, 40 / 160, 50 / 120))
    assert right == pytest.approx((100 / 160, 40 / 120, 140 / 160, 90 / 120))
    whole = shown(one, faces=faces)
    assert whole.shape == (120, 160, 3)
    assert [number for number, face in enumerate(TWO) if dark(whole, face)] == moving
    assert np.array_equal(whole[100:], one.pixels[0, 100:].numpy())


def test_a_square_alone_is_that_of_the_largest_face_or_of_another() -> None:
    one = picture(120, 160, *TWO)
    for faces, face in {"largest": TWO[0], "all": TWO[0], "0": TWO[1]}.items():
        square = square_around(face, RATIO).aligned()
        left, top, side = (
            round(edge) for edge in (square.x - square.side / 2, square.y - square.side / 2, square.side)
        )
        wanted = one.pixels[:, max(0, top) : top + side, max(0, left) : left + side]
        found = source(one, "square", faces)[:, max(0, -top) :, max(0, -left) :] * 255
        assert torch.allclose(found[:, : wanted.shape[1]], wanted.float(), atol=1e-3)


def test_a_face_of_a_square_picture_may_be_shown_alone() -> None:
    one = picture(200, 200, *TWO)
    assert source(one, "square", "all").shape == (1, 200, 200, 3)
    assert source(one, "square", "1").shape[1] == round(square_around(TWO[0], RATIO).side)
    assert len(one.part("square", "1").found) == 2


def test_faces_are_looked_for_once() -> None:
    finder = FakeFinder(*TWO)
    one = Pictures(finder, RATIO).add(blobs(1, 120, 160), "blobs")
    for wished in (None, "square", "whole"):
        one.part(wished, "all")
    assert finder.asked == 1


def test_without_a_face_the_square_in_the_middle_is_animated_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = Pictures(NoFinder(), RATIO).add(blobs(1, 120, 160), "group")
    part = one.part("whole", "all")
    assert (part.shown, part.found) == ("square", ())
    assert "In the picture no face is found" in part.note
    assert torch.equal(source(one), one.pixels[:, :, 20:140])
    assert "No face was found in the picture 'group'" in caplog.text


def test_a_face_that_is_not_there_is_refused() -> None:
    one = picture(120, 160, *TWO)
    with pytest.raises(InputError, match=r"^faces names face 2; there is 0 to 1"):
        one.part(None, "2")
    with pytest.raises(InputError, match=r"^faces is 'eyes'; all, largest or numbers"):
        one.part(None, "eyes")


def test_given_faces_are_taken_in_the_pixels_of_the_file() -> None:
    finder = FakeFinder()
    large = blobs(1, 100, 2 * MOST_KEPT)
    one = Pictures(finder, RATIO).add(large, "wide", [Face(1000, 20, 1100, 80)])
    assert one.pixels.shape == (1, 50, MOST_KEPT, 3)
    assert one.faces == [Face(500, 10, 550, 40)]
    whole = shown(one)
    assert max(whole.shape) == MOST_SHOWN
    share = MOST_SHOWN / MOST_KEPT
    assert dark(whole, Face(500 * share, 10 * share, 550 * share, 40 * share))
    assert finder.asked == 0
    with pytest.raises(InputError, match=r"^boxes have .* outside of the picture's 4096 x 100 pixels"):
        Pictures(finder, RATIO).add(large, "wide", [Face(1000, 400, 1100, 520)])


def test_given_faces_of_a_square_picture_are_animated_in_their_places() -> None:
    one = Pictures(NoFinder(), RATIO).add(blobs(1, 200, 200), "blobs", [*TWO])
    assert one.part(None, "largest").shown == "whole"
    assert list(starmap(dark, [(shown(one), face) for face in TWO])) == [True, False]


@pytest.mark.parametrize(("height", "width"), [(121, 160), (120, 161), (8, 9), (31, 3000)])
def test_whole_pictures_have_even_sides(height: int, width: int) -> None:
    one = Pictures(NoFinder(), RATIO).add(blobs(1, height, width), "odd", [Face(0, 0, 8, 8)])
    whole = shown(one)
    assert not any(side % 2 for side in whole.shape[:2])
    assert max(whole.shape) <= MOST_SHOWN


def test_transparent_and_grey_pictures_are_shown_over_white() -> None:
    clear = torch.cat([blobs(1, 40, 60), torch.zeros(1, 40, 60, 1)], dim=-1)
    one = Pictures(NoFinder(), RATIO).add(clear, "clear", [Face(0, 0, 10, 10)])
    assert (shown(one)[30:] == 255).all()
    grey = Pictures(NoFinder(), RATIO).add(blobs(1, 40, 60)[..., :1], "grey", [Face(0, 0, 10, 10)])
    assert shown(grey).shape == (40, 60, 3)


def test_a_square_beyond_the_border_repeats_it() -> None:
    one = Pictures(NoFinder(), 1.0).add(blobs(1, 60, 90), "edge", [Face(0, 0, 30, 30)])
    assert Square(15, 12, 90).aligned().side == source(one, "square").shape[1]
