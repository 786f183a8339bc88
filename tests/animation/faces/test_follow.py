"""A head followed from frame to frame, by what was found before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.follow import LOOKED_AT, HeadFollower
from first_order_motion.animation.faces.square import square_around
from numpy.typing import NDArray

FRAME = np.zeros((480, 640, 3), np.uint8)
SHRUNK = LOOKED_AT / 640


class AtOnce:
    """Does work when it is asked to, or with `late` only when it is told."""

    def __init__(self, late: bool = False) -> None:
        self.late, self.waiting = late, list[Callable[[], None]]()

    def submit(self, fn: Callable[[], Any], /) -> Future[Any]:
        future: Future[Any] = Future()
        if self.late:
            self.waiting.append(lambda: future.set_result(fn()))
        else:
            future.set_result(fn())
        return future

    def work(self) -> None:
        while self.waiting:
            self.waiting.pop()()


class Finder:
    def __init__(self, *faces: Face) -> None:
        self.faces, self.sizes = list(faces), list[tuple[int, ...]]()

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        self.sizes.append(picture.shape)
        return self.faces


def face(x: float, y: float, side: float = 60) -> Face:
    """A face in the shrunken frame."""
    return Face(x, y, x + side, y + side)


def full_size(found: Face) -> Face:
    return Face(*(edge / SHRUNK for edge in found.box))


def test_the_square_stands_around_the_head_at_once() -> None:
    finder = Finder(face(50, 40), face(200, 40, 20))
    square = HeadFollower(finder, AtOnce()).square(FRAME, 0.0)
    assert square == square_around(full_size(face(50, 40)))
    assert finder.sizes == [(240, LOOKED_AT, 3)]


def test_it_is_looked_for_some_times_a_second() -> None:
    finder = Finder(face(50, 40))
    follower = HeadFollower(finder, AtOnce())
    for number in range(30):
        follower.square(FRAME, number / 30)
    assert 2 <= len(finder.sizes) <= 9


def test_the_square_moves_after_the_head_without_a_jump() -> None:
    finder = Finder(face(50, 40))
    follower = HeadFollower(finder, AtOnce())
    places = [follower.square(FRAME, 0.0)]
    finder.faces = [face(80, 40)]
    places += [follower.square(FRAME, number / 10) for number in range(10, 60)]
    xs = [place.x for place in places if place is not None]
    assert len(xs) == 51
    assert all(0 <= after - before < 60 for before, after in pairwise(xs))
    assert xs[-1] == pytest.approx(square_around(full_size(face(80, 40))).x, abs=0.1)


def test_drawing_does_not_wait_for_it_but_for_the_first_frame() -> None:
    finder, pool = Finder(face(50, 40)), AtOnce()
    follower = HeadFollower(finder, pool)
    first = follower.square(FRAME, 0.0)
    pool.late = True
    finder.faces = [face(100, 40)]
    assert [follower.square(FRAME, time) for time in (5.0, 6.0)] == [first, first]
    assert len(finder.sizes) == 1  # and only one search is on its way
    pool.work()
    after = follower.square(FRAME, 7.0)
    assert after is not None and first is not None and after.x > first.x


def test_the_same_head_is_followed_when_a_larger_one_comes() -> None:
    finder = Finder(face(50, 40))
    follower = HeadFollower(finder, AtOnce())
    first = follower.square(FRAME, 0.0)
    finder.faces = [face(150, 20, 100), face(50, 40)]
    assert follower.square(FRAME, 0.9) == first
    finder.faces = [face(150, 20, 100)]
    assert follower.square(FRAME, 1.8) == first  # it may only be hidden
    for time in np.arange(2.0, 20.0, 0.5):
        last = follower.square(FRAME, float(time))
    assert last is not None and last.x == pytest.approx(square_around(full_size(face(150, 20, 100))).x, abs=0.5)


def test_the_square_stays_where_the_head_was_lost() -> None:
    finder = Finder(face(50, 40))
    follower = HeadFollower(finder, AtOnce())
    first = follower.square(FRAME, 0.0)
    finder.faces = []
    assert [follower.square(FRAME, float(time)) for time in range(1, 9)] == [first] * 8


def test_without_a_head_there_is_no_square_until_there_is_one() -> None:
    finder = Finder()
    follower = HeadFollower(finder, AtOnce())
    assert [follower.square(FRAME, time) for time in (0.0, 1.0)] == [None, None]
    finder.faces = [face(50, 40)]
    assert follower.square(FRAME, 2.0) == square_around(full_size(face(50, 40)))


def test_another_clock_begins_anew() -> None:
    finder = Finder(face(50, 40))
    follower = HeadFollower(finder, AtOnce())
    follower.square(FRAME, 1000.0)
    finder.faces = [face(150, 20)]
    assert follower.square(FRAME, 0.0) == square_around(full_size(face(150, 20)))
