"""Errors that users see. Each message is one line: what came, what was wanted, what to do.

A message about a parameter begins with that parameter's name in Python; nodes and the command line put the name of
their own input or option in its place (see `rename_parameters`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from typing import Final

SHOWN: Final = 5
LONGEST: Final = 80  # characters of one text that a message quotes
BUDGET: Final = 120  # characters of all names that a message lists
SHORTEST: Final = 12  # characters that a name in a list is never cut below


class FirstOrderError(Exception):
    """Base of every error this pack raises on purpose. Its text is one line without control characters."""

    def __str__(self) -> str:
        return one_line(super().__str__())


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


class TrainingError(FirstOrderError):
    """Training run that cannot go on."""


class MediaError(FirstOrderError):
    """Picture or video file that cannot be read or written."""


@contextmanager
def rename_parameters(names: Mapping[str, str]) -> Generator[None, None, None]:
    """Rename the parameter of an InputError from the block, if `names` has another name for it."""
    try:
        yield
    except InputError as error:
        other = renamed(error, names)
        if other is error:
            raise
        raise other from error


def renamed(error: Exception, names: Mapping[str, str]) -> Exception:
    """Return an InputError with another name of its parameter, if `names` has one; any other error as it is."""
    if not isinstance(error, InputError) or error.parameter is None or error.parameter not in names:
        return error
    return InputError(error.text, names[error.parameter])


def one_line(text: str) -> str:
    """Escape everything in a text that is not printable: line breaks, control and direction marks, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def reason_in(error: Exception) -> str:
    """Say what went wrong, in brackets of a message: of the system's own errors without their number and file."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def in_words(error: Exception) -> str:
    """Write an error as one line; what the system says of a file comes with its name and with what to do."""
    if isinstance(error, FirstOrderError) or not isinstance(error, OSError) or error.strerror is None:
        return one_line(str(error))
    if error.filename is None:
        return one_line(f"The system refused: {error.strerror}.")
    name = quote(os.fsdecode(error.filename), 2 * LONGEST)
    return f"{name} cannot be used ({error.strerror}). Check the path, its permissions and the disk."


def quote(value: object, longest: int = LONGEST) -> str:
    """Write a value that came from a file for a message: plain characters only, long ones shortened in the middle.

    Texts come without quotation marks. Of a list or a mapping only its kind is told, as it may be of any size.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4 * longest:
        text = f"a number of {value.bit_length()} bits"  # its digits would take long to work out
    elif value is None or isinstance(value, str | bytes | int | float | bool):
        head = value if isinstance(value, str) else repr(value[:longest] if isinstance(value, bytes) else value)
        if len(head) > 8 * longest:  # escaping is not to be paid for what is not shown
            head = head[:longest] + head[-longest:]
        text = head.encode("unicode_escape").decode("ascii")
    else:
        text = f"a {type(value).__name__}"
    return shorten(text, longest)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Leave out the middle of a text that is too long for a message."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def suggest(name: str, known: Collection[str]) -> str:
    """Ask, as the end of a message, whether the most similar of the known names was meant; "" without any."""
    similar = get_close_matches(name.lower(), known, 1)
    return f" Did you mean {similar[0]}?" if similar else ""


def join_names(names: Collection[str], first: int = SHOWN, budget: int = BUDGET) -> str:
    """Join the first few names, with an ellipsis if there are more; "none" without any.

    Names may come from files that anyone wrote, so they are quoted, and all together take `budget` characters or so:
    as many of them as fit are shown, at least one.
    """
    shown: list[str] = []
    for name in islice(names, first):
        text = quote(name, max(SHORTEST, min(LONGEST, budget)))
        if shown and len(text) > budget:
            break
        shown.append(text)
        budget -= len(text) + 2
    if len(names) > len(shown):
        shown.append("…")
    return ", ".join(shown) or "none"
