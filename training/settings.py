"""Sections of a configuration file, read into frozen dataclasses: every name is known and every value of its kind.

The dataclasses say what is wanted: a field's annotation is its kind, a field without default has to be given, and a
method `check`, where there is one, raises ValueError for values that do not go together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml

from ..core.errors import InputError, join_names, quote
from ..core.weights.config import reason_of

T = TypeVar("T")

SHORT = {"dataset": "dataset_params", "model": "model_params", "train": "train_params"}
"""Short names of sections in overrides."""

LARGEST = 2**63 - 1  # what a generator can be seeded with, and a tensor sized
Plain = dict[str, object]


def read_section(kind: type[T], given: object, section: str) -> T:
    """Make a dataclass from a section of a parsed YAML; InputError names what is unknown, missing or of another kind.

    None, as an empty section reads, is one without settings.
    """
    values = as_section({} if given is None else given, section)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(cast(Any, kind))}
    refuse_unknown(values, known, section)
    hints = get_type_hints(kind)
    read = {name: _value(hints[name], value, f"{section}.{name}") for name, value in values.items()}
    if missing := [name for name, field in known.items() if name not in read and _is_needed(field)]:
        raise InputError(f"{section} lacks {join_names(missing)}. Add what is missing to the configuration.")
    try:
        made = kind(**read)
        check: Callable[[], None] | None = getattr(made, "check", None)
        if check is not None:
            check()
    except ValueError as error:
        fault = str(error).rstrip(".")  # an InputError is one too, and ends as a sentence
        raise InputError(f"{section}: {fault}. Correct the configuration.") from error
    return made


def as_section(value: object, section: str) -> Plain:
    """Return a mapping's entries by name."""
    if not isinstance(value, Mapping):
        raise InputError(f"{section} is {_shown(value)}; settings by name were wanted. Correct the configuration.")
    return {str(name): entry for name, entry in cast(Mapping[object, object], value).items()}


def refuse_unknown(given: Mapping[str, object], known: Mapping[str, object], section: str) -> None:
    """Raise InputError for settings that are not among the known."""
    if unknown := sorted(given.keys() - known.keys()):
        raise InputError(
            f"{section} holds unknown settings: {join_names(unknown)}. Correct or remove them; known are "
            f"{join_names(sorted(known), 12, 200)}."
        )


def override(given: Mapping[str, object], changes: Sequence[str]) -> Plain:
    """Change settings of a parsed configuration by texts such as `train.batch_size=8`; values are YAML.

    Sections may be called by their short names. Settings that were not there are added.
    """
    changed = as_section(given, "the configuration")
    for change in changes:
        path, equals, text = change.partition("=")
        first, *names = path.strip().split(".")
        if not equals or not names or not all(names):
            raise InputError(f"is {quote(change)}; SECTION.NAME=VALUE was wanted, as train.batch_size=8.", "set")
        try:
            value = parse_yaml(text)
        except ValueError as error:
            raise InputError(f"has a value that is no YAML: {quote(text)}. Correct it.", "set") from error
        place = changed
        for name in [SHORT.get(first, first), *names[:-1]]:
            inner = place.get(name)
            place[name] = place = as_section({} if inner is None else inner, name)
        place[names[-1]] = value
    return changed


def parse_yaml(text: str | bytes) -> object:
    """Read a YAML; every fault in it, also in values marked as of a kind that they are not, is a ValueError."""
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (yaml.YAMLError, LookupError, AttributeError, TypeError, ArithmeticError, ValueError) as error:
        raise ValueError(reason_of(error)) from error


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(wanted: Any, value: object, place: str) -> object:
    """Read a value as an annotation has it; InputError for one of another kind."""
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return _one_of(get_args(wanted), value, place)
    if origin is Literal:
        if value not in get_args(wanted):
            raise _refusal(value, place, f"one of {join_names([str(choice) for choice in get_args(wanted)])}")
        return value
    if origin is tuple:
        return _items(get_args(wanted), value, place)
    if origin is Sequence:
        return _items((*get_args(wanted), ...), value, place)
    if is_dataclass(wanted):
        return read_section(cast(Any, wanted), value, place)
    return _single(wanted, value, place)


def _one_of(kinds: Sequence[Any], value: object, place: str) -> object:
    """Read a value that may be absent, or one of a kind or a list of it."""
    if value is None and NoneType in kinds:
        return None
    fitting = [kind for kind in kinds if _is_list(kind) == isinstance(value, list | tuple)]
    return _value(next(kind for kind in [*fitting, *kinds] if kind is not NoneType), value, place)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, Sequence)


def _items(kinds: Sequence[Any], value: object, place: str) -> object:
    """Read a list of one kind and any length, or of a kind for each place."""
    if not isinstance(value, list | tuple):
        raise _refusal(value, place, "a list")
    items = [*cast(Sequence[object], value)]
    each = [kinds[0]] * len(items) if kinds[-1] is ... else [*kinds]
    if len(each) != len(items):
        raise _refusal(items, place, f"a list of {len(each)}")
    return tuple(_value(kind, item, place) for kind, item in zip(each, items, strict=True))


KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _single(wanted: Any, value: object, place: str) -> object:
    """Read a number, a flag, a text or a path."""
    if wanted is Path and isinstance(value, str):
        return Path(value)
    if wanted is float and isinstance(value, str):
        value = _number(value)
    if not isinstance(value, bool) and isinstance(value, int) and abs(value) > LARGEST:
        raise _refusal(value, place, "a number of 63 bits at most")
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise _refusal(value, place, KINDS.get(wanted, "a path"))
    if isinstance(value, float) and not math.isfinite(value):
        raise _refusal(value, place, "a finite number")
    return value


def _number(text: str) -> object:
    """Read a number such as 2e-4, which YAML takes for a text; the text itself where it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def _shown(value: object) -> str:
    return f"'{quote(value)}'" if isinstance(value, str) else quote(value)


def _refusal(value: object, place: str, wanted: str) -> InputError:
    return InputError(f"{place} is {_shown(value)}; {wanted} was wanted. Correct the configuration.")
