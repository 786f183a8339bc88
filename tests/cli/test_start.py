"""How the program calls itself."""

from __future__ import annotations

import sys

import pytest
from first_order_motion.cli.main import build_parser, main
from first_order_motion.core.installation import PACK, pack_version


@pytest.mark.parametrize(
    ("started", "called"),
    [
        ("/home/someone/clone/animate.py", "animate.py"),
        ("/usr/local/bin/first-order-motion", "first-order-motion"),
        ("C:/Scripts/first-order-motion.exe", "first-order-motion"),
        (str(PACK / "__main__.py"), "python -m first_order_motion"),
        ("/usr/lib/python3/pytest/__main__.py", "animate.py"),
    ],
)
def test_the_program_is_called_as_it_was_started(monkeypatch: pytest.MonkeyPatch, started: str, called: str) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    assert build_parser().prog == called


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"first-order-motion {pack_version()}\n"
