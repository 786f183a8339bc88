"""Options anywhere on the command line: values that may be left out, many values, and names with a dash."""

from __future__ import annotations

import shlex

import pytest
from first_order_motion.cli.main import build_parser

WHOLE = {"source": "a.png", "driving": "b.mp4", "output": "c.mp4"}


def parsed(line: str) -> dict[str, object]:
    """The arguments, and of the options those of these tests that were given."""
    args = vars(build_parser().parse_args(["run", *shlex.split(line)]))
    options = ("best_frame", "face_parts", "more_sources", "sheet", "anchor", "absolute")
    given = {name: args[name] for name in (*WHOLE, *options) if args[name] not in (None, False)}
    return {name: plain(value) for name, value in given.items()}


def plain(value: object) -> object:
    """A text for a path, and texts for several."""
    if isinstance(value, list):
        return [str(one) for one in value]
    return value if isinstance(value, int) else str(value)


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("--best-frame a.png b.mp4 c.mp4", {"best_frame": "auto"}),
        ("a.png --best-frame b.mp4 c.mp4", {"best_frame": "auto"}),
        ("a.png b.mp4 c.mp4 --best-frame", {"best_frame": "auto"}),
        ("--best-frame 'model keypoints' a.png b.mp4 c.mp4", {"best_frame": "model keypoints"}),
        ("--best-frame='model keypoints' a.png b.mp4 c.mp4", {"best_frame": "model keypoints"}),
        ("--best a.png b.mp4 c.mp4", {"best_frame": "auto"}),
        ("--face-parts a.png b.mp4 c.mp4", {"face_parts": "face"}),
        ("--face-parts 'hair, hat' a.png b.mp4 c.mp4", {"face_parts": "hair, hat"}),
        ("a.png b.mp4 c.mp4 --face-parts nonsense", {"face_parts": "nonsense"}),
        ("--face-parts --best-frame a.png b.mp4 c.mp4", {"face_parts": "face", "best_frame": "auto"}),
        ("--face-parts hat --best-frame a.png b.mp4 c.mp4", {"face_parts": "hat", "best_frame": "auto"}),
        ("--more-sources x.png y.png a.png b.mp4 c.mp4", {"more_sources": ["x.png", "y.png"]}),
        ("a.png --more-sources x.png b.mp4 c.mp4", {"more_sources": ["x.png"]}),
        ("a.png b.mp4 c.mp4 --more-sources x.png y.png", {"more_sources": ["x.png", "y.png"]}),
        ("--more-sources x.png --absolute a.png b.mp4 c.mp4", {"more_sources": ["x.png"], "absolute": True}),
        ("--more-sources x.png --best-frame a.png b.mp4 c.mp4", {"more_sources": ["x.png"], "best_frame": "auto"}),
        ("--more-sources x.png --more-sources y.png a.png b.mp4 c.mp4", {"more_sources": ["x.png", "y.png"]}),
        ("--best-frame -- a.png b.mp4 c.mp4", {"best_frame": "auto"}),
        ("--sheet=-s.png a.png b.mp4 c.mp4", {"sheet": "-s.png"}),
        ("--sheet -s.png a.png b.mp4 c.mp4", {"sheet": "-s.png"}),
        ("--anchor -1 a.png b.mp4 c.mp4", {"anchor": -1}),
        ("a.png --anchor 7 b.mp4 --absolute c.mp4", {"anchor": 7, "absolute": True}),
    ],
)
def test_options_stand_anywhere(line: str, options: dict[str, object]) -> None:
    assert parsed(line) == {**WHOLE, **options}


def test_names_with_a_dash_follow_two_dashes() -> None:
    assert parsed("--best-frame -- -a.png --b.mp4 -") == {
        "source": "-a.png", "driving": "--b.mp4", "output": "-", "best_frame": "auto",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.png b.mp4", "required: output"),
        ("--best-frame a.png b.mp4", "required: output"),
        ("a.png b.mp4 c.mp4 d.mp4", "unrecognized arguments: d.mp4"),
        ("--unknown a.png b.mp4 c.mp4", "unrecognized arguments: --unknown"),
        ("--best-frame wrong a.png b.mp4 c.mp4", "invalid choice: 'wrong'"),
        ("a.png b.mp4 c.mp4 --more-sources", "expected at least one argument"),
        ("--sheet --absolute a.png b.mp4 c.mp4", "--sheet: expected one argument"),
    ],
)
def test_mistakes_are_named(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(line)
    assert says in capsys.readouterr().err
