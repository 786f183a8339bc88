"""Messages are one plain line, whatever the files that they speak of hold."""

from __future__ import annotations

import time

import pytest
from first_order_motion.core.errors import (
    CheckpointError,
    DownloadError,
    FirstOrderError,
    InputError,
    MediaError,
    MissingWeightsError,
    join_names,
    one_line,
    quote,
)

STRANGE = "a\nb\r\x1b[31mc\u202ed\u2028e\x00f\ud800g\u200bh"


@pytest.mark.parametrize("kind", [CheckpointError, DownloadError, InputError, MediaError, MissingWeightsError])
def test_every_message_is_one_printable_line(kind: type[FirstOrderError]) -> None:
    message = str(kind(f"{STRANGE} is no file; choose another."))
    assert message.isprintable()
    assert r"a\nb\r\x1b[31mc\u202ed" in message and message.endswith("is no file; choose another.")


def test_names_of_files_stay_as_they_are() -> None:
    assert str(CheckpointError("/models/顔 façade.pth is empty.")) == "/models/顔 façade.pth is empty."
    assert one_line("C:\\models\\a.pth") == "C:\\models\\a.pth"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("generator", "generator"),
        (STRANGE, r"a\nb\r\x1b[31mc\u202ed\u2028e\x00f\ud800g\u200bh"),
        ("façade", r"fa\xe7ade"),
        (7, "7"),
        (1e300, "1e+300"),
        (None, "None"),
        (True, "True"),
        (b"\x00a", r"b'\\x00a'"),
        ([1, 2], "a list"),
        ({"a": 1}, "a dict"),
        (10**1000, "a number of 3322 bits"),
    ],
)
def test_values_are_quoted_plainly(value: object, wanted: str) -> None:
    assert quote(value) == wanted


def test_long_values_lose_their_middle() -> None:
    started = time.process_time()
    for value in ("ab" * 10**7, "\n" * 10**7, b"\0" * 10**7, 2 ** (10**7)):
        shown = quote(value)
        assert len(shown) <= 80 and shown.isprintable()
    assert time.process_time() - started < 1
    assert quote("a" * 50 + "b" * 50, 11) == "aaaaa…bbbbb"


def test_nested_values_are_not_walked() -> None:
    value: object = "x"
    for _ in range(100):
        value = [value, value]
    assert quote(value) == "a list"


def test_lists_of_names_take_a_bounded_space() -> None:
    assert join_names([]) == "none"
    assert join_names(["a", "b"]) == "a, b"
    assert join_names(list("abcdefg")) == "a, b, c, d, e, …"
    assert len(join_names(["k" * 500] * 9)) <= 170
    assert join_names(["new\nline"]) == r"new\nline"
    assert len(join_names(["k" * 70] * 9, 9, 60)) <= 70
