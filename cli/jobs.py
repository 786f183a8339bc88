"""Tables of jobs: each row of a CSV file, or line of a JSON Lines file, is a command line of `run`."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from ..core.errors import InputError, MediaError, join_names, quote, suggest
from ..core.input_file import open_file
from ..core.output_path import shown
from .arguments import Parser

CSV, LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")
MOST_BYTES: Final = 2**26
SEPARATORS: Final = ",;\t"
NEEDED: Final = ("source", "driving", "output")
YES, NO = frozenset({"true", "yes", "on", "1", "x"}), frozenset({"false", "no", "off", "0"})
SEVERAL: Final = ";"
"""Separator of several values in one cell."""

Cells = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """Job of a table: its number, from 1 on, its line in the file, what was read, and all that is wrong with it.

    `args` lacks the options that are wrong, and is None where there is no source, driving or output.
    """

    number: int
    line: int
    output: str
    args: argparse.Namespace | None = None
    errors: tuple[str, ...] = ()


class RowParser(Parser):
    """Parser whose errors are InputErrors, instead of the end of the program."""

    def error(self, message: str) -> NoReturn:
        """Raise the message of a refused word."""
        raise InputError(f"{message.rstrip('.')}. Correct the row.")


def read_rows(path: Path, parser: RowParser, common: argparse.Namespace) -> list[Row]:
    """Read the jobs of a file; paths in it are relative to its folder.

    `common` are the options of all rows, which a row's own replace. What is wrong in a row is kept with it. Raises
    MediaError for a file that cannot be read, InputError for one that is no table, or has no row.
    """
    reader = _RowReader(parser, common, path.parent)
    rows = [reader.read(number, line, cells) for number, (line, cells) in enumerate(_cells_of(path, _text_of(path)), 1)]
    if not rows:
        raise InputError(f"is {shown(path)}, which has no row; one job or more was wanted. Add some.", "jobs")
    return rows


def _text_of(path: Path) -> str:
    try:
        with open_file(path) as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise MediaError(f"{shown(path)} cannot be read ({error.strerror}). Check the path.") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"is {shown(path)}, of more than {MOST_BYTES} bytes. Divide it.", "jobs")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is {shown(path)}, which is not UTF-8 ({error.reason}). Save it as such.", "jobs") from error


def _cells_of(path: Path, text: str) -> Iterator[tuple[int, Cells | str]]:
    """Yield each row's line and cells, or what is wrong with it."""
    suffix = path.suffix.lower()
    if suffix in CSV:
        yield from _csv_cells(path, text)
    elif suffix in LINES:
        yield from _json_cells(text)
    else:
        raise InputError(f"is {shown(path)}; a name that ends in {join_names([*CSV, *LINES])} was wanted.", "jobs")


def _csv_cells(path: Path, text: str) -> Iterator[tuple[int, Cells | str]]:
    first = text.partition("\n")[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count))
    try:
        heads = [head.strip() for head in next(reader, list[str]())]
        if missing := [name for name in NEEDED if name not in heads]:
            raise InputError(f"is {shown(path)}, whose first line lacks {join_names(missing)}. Add the column.", "jobs")
        if doubled := sorted({head for head in heads if head and heads.count(head) > 1}):
            raise InputError(f"is {shown(path)}, with two columns {join_names(doubled)}. Leave one out.", "jobs")
        line = reader.line_num + 1
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if any(values):
                long = any(values[len(heads) :])
                yield line, "has more cells than columns" if long else dict(zip(heads, values, strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"is {shown(path)}, which is no CSV ({error}). Export it anew.", "jobs") from error


def _json_cells(text: str) -> Iterator[tuple[int, Cells | str]]:
    for line, row in enumerate(text.split("\n"), 1):  # other breaks may stand in texts
        if not row.strip():
            continue
        try:
            content: object = json.loads(row, object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            yield line, f"is no JSON ({quote(str(error))})"
            continue
        if isinstance(content, dict):
            yield line, cast("dict[str, object]", content)
        else:
            yield line, f"is a {type(content).__name__}; an object was wanted"


def _without_doubles(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Make a dict of a JSON object; ValueError for two entries of one name, of which the first would be lost."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"two entries are called {next(name for name in names if names.count(name) > 1)}")
    return content


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Reader of rows as command lines of `run`, relative to a folder."""

    parser: RowParser
    common: argparse.Namespace
    folder: Path

    def read(self, number: int, line: int, cells: Cells | str) -> Row:
        """Read one row, or note all that is wrong with it."""
        if isinstance(cells, str):
            return Row(number, line, "", errors=(f"{cells}. Correct it.",))
        words, errors = self._words(cells)
        namespace = argparse.Namespace(**vars(self.common))
        for name in words:
            for other in ((action := self._action(name)), *self.parser.rivals_of(action)):
                vars(namespace).pop(other.dest, None)  # what all rows have gives way
        filled = {_plain(head) for head, value in cells.items() if value not in (None, "")}
        if missing := [name for name in NEEDED if name not in filled]:
            errors.append(f"lacks {join_names(missing)}. Fill it in.")
        good: dict[str, list[str]] = {}
        for name, given in words.items():
            if self._fits({**good, name: given}, errors):
                good[name] = given
        args = self._parsed(good, namespace) if all(name in good for name in NEEDED) else None
        return Row(number, line, quote(cells.get("output") or ""), args, tuple(errors))

    def _words(self, cells: Cells) -> tuple[dict[str, list[str]], list[str]]:
        """Write cells as words of a command line, by the names of options and arguments; with what cannot be."""
        words: dict[str, list[str]] = {}
        heads: dict[str, str] = {}
        errors: list[str] = []
        for head, value in cells.items():
            if value is None or value == "":
                continue
            try:
                action = self._action(head)
                if (other := heads.setdefault(action.dest, head)) != head:
                    raise InputError(f"has {other!r} and {head!r}, which are one column. Leave one out.")
                name = action.option_strings[-1].lstrip("-") if action.option_strings else action.dest
                words[name] = (
                    self._option(action, head, value) if action.option_strings else [self._text(action, head, value)]
                )
            except InputError as error:
                errors.append(str(error))
        return words, errors

    def _fits(self, words: Mapping[str, Sequence[str]], errors: list[str]) -> bool:
        """Tell whether the words of the last option or argument can be parsed with those before; if not, note why."""
        try:
            self._parsed({needed: ["-"] for needed in NEEDED} | {**words}, argparse.Namespace())
        except InputError as error:
            errors.append(str(error))
            return False
        return True

    def _parsed(self, words: Mapping[str, Sequence[str]], namespace: argparse.Namespace) -> argparse.Namespace:
        options = [word for name, given in words.items() if name not in NEEDED for word in given]
        return self.parser.parse_args([*options, "--", *(words[name][0] for name in NEEDED)], namespace)

    def _action(self, head: str) -> argparse.Action:
        name = _plain(head)
        action = self.parser.find_option(name)
        if action is None or action.dest in ("help", "command"):
            known = [one for one in _names(self.parser) if one not in NEEDED]
            raise InputError(f"has the unknown column {quote(head)}; options of run were wanted.{suggest(name, known)}")
        return action

    def _option(self, action: argparse.Action, head: str, value: object) -> list[str]:
        """Write an option as words of a command line."""
        flag = action.option_strings[-1]
        if action.nargs == 0 or (action.nargs == "?" and _is_switch(value)):
            return [flag] if _truth(head, value) else []
        if action.nargs == "+" or isinstance(action, _APPENDING):
            values = cast("list[object]", value) if isinstance(value, list) else str(value).split(SEVERAL)
            return [f"{flag}={self._text(action, head, one)}" for one in values]
        return [f"{flag}={self._text(action, head, value)}"]

    def _text(self, action: argparse.Action, head: str, value: object) -> str:
        """Write one value; that of a file relative to the folder of the table."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InputError(f"has {quote(value)} in {quote(head)}; a text or a number was wanted. Correct it.")
        text = str(value).strip()
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InputError(f"has {quote(text)} in {quote(head)}, with a letter that no name can hold. Correct it.")
        return str(self.folder / text) if _is_path(action.type, text) else text


_APPENDING: Final = (argparse._AppendAction,)  # pyright: ignore[reportPrivateUsage]


def _plain(head: str) -> str:
    """Return the name of an option or argument as a column's head has it."""
    return head.strip().lstrip("-").lower().replace("_", "-")


def _names(parser: RowParser) -> Sequence[str]:
    return [name.lstrip("-") for action in parser.actions for name in action.option_strings if name.startswith("--")]


def _is_path(convert: Any, text: str) -> bool:
    """Tell whether an option makes a path of a text."""
    try:
        return convert is not None and isinstance(convert(text), Path)
    except (ValueError, argparse.ArgumentTypeError):  # the parser says it better
        return False


def _is_switch(value: object) -> bool:
    """Tell whether a value of an option that can do without one only switches it on or off."""
    return isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"true", "false"})


def _truth(head: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text not in YES | NO:
        raise InputError(f"has {quote(value)} in {quote(head)}; true or false was wanted. Correct it.")
    return text in YES
