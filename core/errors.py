"""Errors that users see. Each message is one line: what came, what was wanted, what to do.

A message about a parameter begins with that parameter's name in Python; nodes and the command line put the name of
their own input or option in its place (see `rename_parameters`).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Final

SHOWN: Final = 5
LONGEST: Final = 100  # characters of one name


class FirstOrderError(Exception):
    """Base of every error this pack raises on purpose."""


class InputError(FirstOrderError, ValueError):
    """Picture, clip or option that cannot be used.

    With a `parameter` its name and a blank come before the text.
    """

    def __init__(self, text: str, parameter: str | None = None) -> None:
        super().__init__(text if parameter is None else f"{parameter} {text}")
        self.text, self.parameter = text, parameter


class CheckpointError(FirstOrderError):
    """Weight file that is damaged, unsafe, of another architecture or of another shape."""


class MissingWeightsError(FirstOrderError, FileNotFoundError):
    """Weight file that is in none of the places where it was looked for."""


class DownloadError(FirstOrderError, OSError):
    """Download that could not be finished or whose bytes are not the published ones."""


class MediaError(FirstOrderError):
    """Picture or video file that cannot be read or written."""


@contextmanager
def rename_parameters(names: Mapping[str, str]) -> Generator[None, None, None]:
    """Rename the parameter of an InputError from the block, if `names` has another name for it."""
    try:
        yield
    except InputError as error:
        if error.parameter is None or error.parameter not in names:
            raise
        raise InputError(error.text, names[error.parameter]) from error


def one_line(text: str) -> str:
    """Escape everything in a text that is not printable: line breaks, control and direction marks, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def join_names(names: Collection[str], first: int = SHOWN) -> str:
    """Join the first few names, with an ellipsis if there are more; "none" without any.

    Names may come from files that anyone wrote, so line breaks and control characters are escaped.
    """
    shown = [name.encode("unicode_escape").decode("ascii")[:LONGEST] for name in islice(names, first)]
    if len(names) > first:
        shown.append("…")
    return ", ".join(shown) or "none"
