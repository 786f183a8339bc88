"""Descriptions of networks: read from a file's metadata, a YAML beside it, or the shapes of its tensors, and checked.

An architecture's configuration is a frozen dataclass, whose parts may be dataclasses too. What describes it comes from
a file that anyone wrote, so it is checked before it can exhaust memory or time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import yaml
from typing_extensions import Self

from ..errors import CheckpointError, InputError
from ..types import LoadOptions
from .checkpoint import Checkpoint, State

T = TypeVar("T")
Bounds = Mapping[str, tuple[int, int]]

SCALES: Final = tuple(0.5**power for power in range(6))
WIDEST: Final = 65536  # channels, or pixels
LARGEST_SIGMA: Final = 16.0

# Errors of reading a description: of malformed texts, and of missing or mistyped sections or tensors.
UNREADABLE = (
    CheckpointError, OSError, yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, LookupError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description(Generic[T]):
    """Rules for reading an architecture's configuration: its `name` in messages, its dataclass `kind`, and functions
    that read it from a parsed YAML (None: not supported) and from a file's tensors. `size_of` gives the training size
    of files without metadata, by their path and the parsed YAML (None where there is none). `bounds` are the minimum
    and maximum of integer settings by name, in every part alike; others go from 1 to WIDEST.
    """

    name: str
    kind: type[T]
    from_published: Callable[[Any], T] | None
    from_states: Callable[[Mapping[str, State]], T]
    size_of: Callable[[Path, Any], int]
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
            published = yaml.safe_load(beside.read_text("utf-8"))
            config, size = read(published), description.size_of(path, published)
        else:
            config, size = description.from_states(checkpoint.components), description.size_of(path, None)
        check_limits(config, size, description.bounds)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{name} does not describe a {description.name}: {_one_line(error)}. Use the file as it was published."
        ) from error
    return config, size


def _one_line(error: Exception) -> str:
    """Put the text of an error on one line."""
    text = f"it lacks {error.args[0]}" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split()).rstrip(".")


def to_metadata(architecture: str, config: Any, size: int) -> dict[str, str]:
    """Make the metadata with which our safetensors files describe their network."""
    return {"architecture": architecture, "config": json.dumps(asdict(config)), "size": str(size)}


def from_metadata(kind: type[T], metadata: Mapping[str, str]) -> tuple[T, int]:
    """Read configuration and size from `to_metadata`'s metadata; raises one of UNREADABLE for any other text."""
    return _from_dict(kind, json.loads(metadata["config"])), int(metadata["size"])


def _from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    retired: Mapping[str, object] = getattr(kind, "RETIRED", {})
    values = {name: value for name, value in values.items() if name not in retired or value != retired[name]}
    defaults = {field.name: field.default for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    parts = {name: _from_dict(type(part), values[name]) for name, part in defaults.items() if is_dataclass(part)}
    return kind(**{**values, **parts})


def fill(kind: type[T], given: Mapping[str, Any], section: str, **defaults: object) -> T:
    """Make a part of a configuration from a section of a YAML; unknown keys are an error."""
    known = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    refuse_unknown(given, known, section)
    return kind(**{**defaults, **given})


def refuse_unknown(given: Mapping[str, Any], known: set[str], section: str) -> None:
    """Raise CheckpointError for the first setting that is not among the known."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise CheckpointError(
            f"{section} holds the unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}."
        )


def check_limits(config: object, size: int, bounds: Bounds) -> None:
    """Raise CheckpointError for the first setting of the wrong type or out of bounds."""
    for name, value, default in [("size", size, 256), *_settings(config)]:
        wanted = _expected(name, value, default, bounds.get(name, (1, WIDEST)))
        if wanted:
            raise CheckpointError(f"{name} is {value!r}; {wanted} was wanted")


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
    most = LARGEST_SIGMA if name == "sigma" else math.inf
    return None if number and (0 < value < most or value == default) else "a positive number"


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
