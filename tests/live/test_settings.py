"""Settings that a page may change: what is taken, and what is refused in words."""

from __future__ import annotations

import math

import pytest
from first_order_motion.core.errors import InputError
from first_order_motion.live.settings import LiveSettings


def test_what_is_sent_is_changed_and_the_rest_stays() -> None:
    settings = LiveSettings(mirror=True).changed({"strength": 2, "framing": "whole", "hold": True})
    assert settings == LiveSettings(strength=2.0, framing="whole", hold=True, mirror=True)
    assert settings.controls.strength == 2.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strength": 3}, r"^strength is 3; 0 to 2 was wanted"),
        ({"expression": -1}, r"^expression is -1; 0 to 2"),
        ({"smooth": 1.5}, r"^smooth is 1.5; 0 to 1"),
        ({"strength": math.nan}, r"^strength is nan"),
        ({"strength": True}, r"^strength is True; a number"),
        ({"strength": "much"}, r"^strength is much; a number"),
        ({"mirror": 1}, r"^mirror is 1; true or false"),
        ({"framing": "hands"}, r"^framing is hands; choose one of: face, whole"),
        ({"framing": None}, r"^framing is None; a text"),
        ({"shown": "half"}, r"^shown is half; choose one of: square, whole"),
        ({"faces": 1}, r"^faces is 1; a text"),
        ({"colour": 1}, r"^colour is no setting; these are: strength,"),
        ({"strength": ["x" * 1000]}, r"^strength is a list; a number"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        LiveSettings().changed(changes)
