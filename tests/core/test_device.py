"""What a device is asked for, and what the C library keeps."""

from __future__ import annotations

import ctypes

import pytest
import torch
from first_order_motion.core.device import THREADS_VARIABLE, keep_heap, share_processors, trim_heap
from support.optimized import threads


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    with threads(5):
        share_processors(2)
        assert torch.get_num_threads() == 2
        share_processors(1)
        assert torch.get_num_threads() == 2
        share_processors(4)
        assert torch.get_num_threads() == 1


def test_the_users_choice_of_threads_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    with threads(2):
        share_processors(2)
        assert torch.get_num_threads() == 2


def test_the_c_library_takes_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    if getattr(ctypes.CDLL(None), "mallopt", None) is None:
        pytest.skip("needs the GNU C library")
    taken: list[int] = []

    class Library:
        def mallopt(self, name: int, value: int) -> None:
            taken.append(int(real.mallopt(name, value)))

    real = ctypes.CDLL(None)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    keep_heap()
    monkeypatch.undo()
    trim_heap()
    assert taken == [1, 1]
