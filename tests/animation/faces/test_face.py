"""Faces as boxes: their order and choice, and how they are read."""

import numpy as np
import pytest
from first_order_motion.animation.faces.face import (
    Face,
    choose_faces,
    faces_from_mask,
    faces_from_text,
    overlap,
    without_doubles,
)
from first_order_motion.core.errors import InputError

LEFT, MIDDLE, RIGHT = Face(0, 0, 40, 40), Face(50, 0, 130, 90), Face(200, 5, 240, 60)


def test_faces_are_counted_from_left_to_right() -> None:
    assert choose_faces([RIGHT, LEFT, MIDDLE], "all") == [LEFT, MIDDLE, RIGHT]


@pytest.mark.parametrize(("choice", "wanted"), [("largest", [MIDDLE]), ("2,0", [RIGHT, LEFT]), (" 1 1 ", [MIDDLE])])
def test_choices(choice: str, wanted: list[Face]) -> None:
    assert choose_faces([RIGHT, LEFT, MIDDLE], choice) == wanted


@pytest.mark.parametrize("choice", ["3", "0,7", "-1", "two", "1e3", ",", "99999999999"])
def test_other_choices_are_refused(choice: str) -> None:
    with pytest.raises(InputError, match="face"):
        choose_faces([RIGHT, LEFT, MIDDLE], choice)


def test_no_faces_have_no_largest() -> None:
    assert choose_faces([], "largest") == []
    with pytest.raises(InputError, match="none at all"):
        choose_faces([], "0")


@pytest.mark.parametrize(
    "text",
    ["[[1, 2, 30, 40]]", "[1, 2, 30, 40]", '{"x0": 1, "y0": 2, "x1": 30, "y1": 40}',
     '[{"x": 1, "y": 2, "width": 29, "height": 38}]', "[[1, 2, 30, 40, 0.98]]"],
)  # fmt: skip
def test_boxes_in_every_form(text: str) -> None:
    assert faces_from_text(text) == [Face(1, 2, 30, 40)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", "[[1, 2, 3]]", "[[1, 2, NaN, 4]]", "[[40, 60, 20, 100]]", "[[0, 0, 3, 3]]", '["abcd"]',
     "[[1, 2, 1e9, 4]]", "[" * 100_000, str([[0, 0, 20, 20]] * 65), '{"x": 1}', "[null]", "[[true, 0, 20, 20]]"],
)  # fmt: skip
def test_other_texts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="boxes") as caught:
        faces_from_text(text)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_no_boxes_are_no_faces() -> None:
    assert faces_from_text("[]") == []


def test_doubles() -> None:
    faint = Face(2, 2, 42, 42, 0.5)
    assert overlap(LEFT, faint) == pytest.approx(38 * 38 / (2 * 1600 - 38 * 38))
    assert without_doubles([faint, LEFT, RIGHT]) == [LEFT, RIGHT]


def test_parts_of_a_mask() -> None:
    mask = np.zeros((100, 200), np.float32)
    mask[10:60, 20:60] = 1
    mask[60:70, 60:80] = 0.9  # touches the first at a corner
    mask[5:95, 120:199] = 1
    mask[0:3, 0:3] = 1  # too small for a face
    mask[80:90, 0:100] = 0.4
    assert faces_from_mask(mask) == [Face(120, 5, 199, 95), Face(20, 10, 80, 70)]
