"""Descriptions of networks: read from a file's metadata, a YAML beside it, or the shapes of its tensors, and checked.

An architecture's configuration is a frozen dataclass, whose parts may be dataclasses too. What describes it comes from
a file that anyone wrote, so it is checked before it can exhaust memory or time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast

import yaml
from typing_extensions import Self

from ..errors import CheckpointError, InputError, join_names, quote, shorten
from ..input_file import open_file
from ..types import LoadOptions
from .checkpoint import Checkpoint, State

T = TypeVar("T")
Bounds = Mapping[str, tuple[int, int]]

SCALES: Final = tuple(0.5**power for power in range(6))
WIDEST: Final = 65536  # channels
SIZES: Final = (1, 2048)  # pixels of the side that a network was trained at, and that results have unless one asks
LARGEST_SIGMA: Final = 16.0
LARGEST_FLOAT: Final = 1e6
SMALLEST_FLOAT: Final = 1e-6  # what is divided by less is no number any more
LONGEST_REASON: Final = 165  # characters of a reason in a message
LONGEST_NUMBER: Final = 20  # digits
LONGEST_TEXT: Final = 32 * 2**10  # bytes of a description; published ones have four thousand at most

# Errors of reading a description: of malformed texts, and of missing or mistyped sections or tensors.
UNREADABLE = (
    CheckpointError, OSError, yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, LookupError,
    ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description(Generic[T]):
    """Rules for reading an architecture's configuration: its `name` in messages, its dataclass `kind`, and functions
    that read it from a parsed YAML (None: not supported) and from a file's tensors. `size_of` gives the training size
    of files without metadata, by the checkpoint and the parsed YAML (None where there is none). `bounds` are the
    minimum and maximum of integer settings by name, in every part alike; others go from 1 to WIDEST, sizes have SIZES.
    Together they keep building a network on the meta device to a second or two.

    A dataclass may have a method `check`, which raises ValueError where its settings do not go together. It is called
    once each of them is within its bounds.
    """

    name: str
    kind: type[T]
    from_published: Callable[[Any], T] | None
    from_states: Callable[[Mapping[str, State]], T]
    size_of: Callable[[Checkpoint, Any], int]
    bounds: Bounds


def describe(checkpoint: Checkpoint, description: Description[T]) -> tuple[T, int]:
    """Read a network's configuration and training size: from the file's own metadata, else from a YAML of the same
    stem beside it, else off the tensors, with the published values for what tensors cannot show.
    """
    path = checkpoint.path
    beside = path.with_name(path.name.split(".")[0] + ".yaml")
    described = "config" in checkpoint.metadata
    read = None if described or not beside.is_file() else description.from_published
    name = path.name if read is None else beside.name
    try:
        if described:
            config, size = from_metadata(description.kind, checkpoint.metadata)
        elif read is not None:
            published = _load_yaml(beside)
            config, size = read(published), description.size_of(checkpoint, published)
        else:
            config, size = description.from_states(checkpoint.components), description.size_of(checkpoint, None)
        check_limits(config, size, description.bounds)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{name} does not describe a {description.name}: {reason_of(error)}. Use the file as it was published."
        ) from error
    return config, size


def reason_of(error: Exception) -> str:
    """Put the text of one of UNREADABLE on a short line."""
    text = f"it lacks {quote(error.args[0])}" if isinstance(error, KeyError) and error.args else str(error)
    line = " ".join(text.split()).rstrip(".")
    return shorten(line, LONGEST_REASON)


class _PlainLoader(yaml.SafeLoader):
    """Reader of YAML without aliases, which no published file has and with which a short text can mean a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read the next node; PyYAML calls this by its name."""
        if self.check_event(yaml.events.AliasEvent):
            raise ValueError("it uses a YAML alias, as no published file does")
        return super().compose_node(parent, index)


def _load_yaml(path: Path) -> Any:
    """Parse a YAML of ordinary size; raises one of UNREADABLE for any other text."""
    with open_file(path) as file:
        data = file.read(LONGEST_TEXT + 1)
    if len(data) > LONGEST_TEXT:
        raise ValueError(f"it has more than {LONGEST_TEXT} bytes")
    return yaml.load(data.decode("utf-8"), _PlainLoader)  # noqa: S506 (a SafeLoader, with less)


def to_metadata(architecture: str, config: Any, size: int) -> dict[str, str]:
    """Make the metadata with which our safetensors files describe their network."""
    return {"architecture": architecture, "config": json.dumps(asdict(config)), "size": str(size)}


def from_metadata(kind: type[T], metadata: Mapping[str, str]) -> tuple[T, int]:
    """Read configuration and size from `to_metadata`'s metadata; raises one of UNREADABLE for any other text."""
    text, size = metadata["config"], metadata["size"]
    if len(text) > LONGEST_TEXT or len(size) > LONGEST_NUMBER:
        raise ValueError(f"its metadata are longer than {LONGEST_TEXT} characters")
    return _from_dict(kind, json.loads(text, parse_int=_number)), int(size)


def _number(digits: str) -> int | float:
    """Read a whole number; one that no setting can be becomes a float, which is quick and is refused by name."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)


def _from_dict(kind: type[T], values: Any) -> T:
    if not isinstance(values, Mapping):
        raise ValueError(f"{kind.__name__} is {quote(values)}; its settings by name were wanted")
    values = cast(Mapping[str, Any], values)
    retired: Mapping[str, object] = getattr(kind, "RETIRED", {})
    values = {name: value for name, value in values.items() if name not in retired or value != retired[name]}
    defaults = {field.name: field.default for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    refuse_unknown(values, set(defaults), "its metadata")
    parts = {name: _from_dict(type(part), values[name]) for name, part in defaults.items() if is_dataclass(part)}
    return kind(**{**values, **parts})


def fill(kind: type[T], given: Mapping[str, Any], section: str, **defaults: object) -> T:
    """Make a part of a configuration from a section of a YAML; unknown keys are an error."""
    known = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    refuse_unknown(given, known, section)
    return kind(**{**defaults, **given})


def refuse_unknown(given: Mapping[str, Any], known: set[str], section: str) -> None:
    """Raise CheckpointError for the first setting that is not among the known."""
    unknown = sorted(map(str, set(given) - known))
    if unknown:
        names = join_names(sorted(known), 9, 60)
        raise CheckpointError(f"{section} holds the unknown setting '{quote(unknown[0], 40)}'; known are {names}.")


def check_limits(config: object, size: int, bounds: Bounds) -> None:
    """Raise CheckpointError for the first setting of the wrong type or out of bounds, then for what does not go
    together.
    """
    all_bounds = {"size": SIZES, **bounds}
    for name, value, default in [("size", size, 256), *_settings(config)]:
        wanted = _expected(name, value, default, all_bounds.get(name, (1, WIDEST)))
        if wanted:
            shown = f"'{quote(value)}'" if isinstance(value, str) else quote(value)
            raise CheckpointError(f"{name} is {shown}; {wanted} was wanted")
    _check_together(config)


def _check_together(config: Any) -> None:
    parts = [getattr(config, field.name) for field in fields(config)]
    for part in [config, *(part for part in parts if is_dataclass(part))]:
        check: Callable[[], None] | None = getattr(part, "check", None)
        if check is not None:
            check()


def _settings(part: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and default of every setting, those of the parts included."""
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _settings(value)
        else:
            yield field.name, value, field.default


def _expected(name: str, value: Any, default: Any, bounds: tuple[int, int]) -> str | None:
    """Describe the expected value in words; None where the value is valid."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if default is None and value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "scale_factor":
        return None if number and value in SCALES else _scales()
    if isinstance(default, int):
        least, most = bounds
        whole = number and isinstance(value, int) and least <= value <= most
        return None if whole else f"a whole number from {least} to {most}"
    most = LARGEST_SIGMA if name == "sigma" else LARGEST_FLOAT
    return None if number and (SMALLEST_FLOAT <= value < most or value == default) else "a positive number"


def _scales() -> str:
    """List the supported scales, for a message."""
    return "one of " + ", ".join(f"{scale:g}" for scale in SCALES)


class Adaptable(Protocol):
    """Configuration with an `align_corners`, and a scale that its weights do not depend on."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def at_scale(self, scale_factor: float) -> Self: ...


Config = TypeVar("Config", bound=Adaptable)


def apply_load_options(config: Config, options: LoadOptions) -> Config:
    """Apply the options to a configuration; raises InputError for an unsupported scale."""
    if options.scale_factor is not None:
        if options.scale_factor not in SCALES:
            raise InputError(f"is {options.scale_factor}; {_scales()} was wanted.", "scale_factor")
        config = config.at_scale(options.scale_factor)
    if options.aligned_sampling is not None:
        config = replace(config, align_corners=options.aligned_sampling)
    return config
