"""What a weight file says about its network: in its metadata, in a YAML beside it, or by the shapes of its tensors.

An architecture's configuration is a frozen dataclass, whose parts may be dataclasses too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from torch import Tensor

from ..errors import CheckpointError
from ..layers.antialias import blur_sigma
from .checkpoint import Checkpoint
from .limits import check_limits

State = Mapping[str, Tensor]
T = TypeVar("T")

# What reading a description can raise: texts that are none, sections or tensors that are not there or of other kinds.
UNREADABLE = (
    CheckpointError, OSError, yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError, LookupError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description(Generic[T]):
    """How an architecture is described: the `name` it goes by in messages, the `kind` of its configuration,
    and how that is read from a parsed YAML (None: it never is) and from a file's tensors. `size_of` gives the
    training size of files without metadata, by their path and the parsed YAML (None where there is none).
    """

    name: str
    kind: type[T]
    from_published: Callable[[Any], T] | None
    from_states: Callable[[Mapping[str, State]], T]
    size_of: Callable[[Path, Any], int]


def describe(checkpoint: Checkpoint, description: Description[T]) -> tuple[T, int]:
    """Configuration and training size: from the file's own metadata, else from a YAML of the same stem
    beside it, else read off the tensors, with the published values for what tensors cannot show.
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
        check_limits(config, size)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{name} does not describe a {description.name}: {_told(error)}. Use the file as it was published."
        ) from error
    return config, size


def _told(error: Exception) -> str:
    """What is wrong, in one line."""
    text = f"it lacks {error.args[0]}" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split()).rstrip(".")


def to_metadata(architecture: str, config: Any, size: int) -> dict[str, str]:
    """What a safetensors file of ours says about its network."""
    return {"architecture": architecture, "config": json.dumps(asdict(config)), "size": str(size)}


def from_metadata(kind: type[T], metadata: Mapping[str, str]) -> tuple[T, int]:
    """Inverse of `to_metadata`; raises one of UNREADABLE where the text is not what that writes."""
    return _built(kind, json.loads(metadata["config"])), int(metadata["size"])


def _built(kind: type[T], values: Mapping[str, Any]) -> T:
    defaults = {field.name: field.default for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    parts = {name: _built(type(part), values[name]) for name, part in defaults.items() if is_dataclass(part)}
    return kind(**{**values, **parts})


def fill(kind: type[T], given: Mapping[str, Any], section: str, **defaults: object) -> T:
    """A part of a configuration from a section of a YAML; unknown keys are an error."""
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


def widths(state: State, prefix: str) -> list[int]:
    """Output channels of the numbered blocks under a prefix, in order."""
    found: list[int] = []
    while (weight := state.get(f"{prefix}{len(found)}.conv.weight")) is not None:
        found.append(weight.shape[0])
    return found


def hourglass_sizes(state: State, prefix: str) -> dict[str, int]:
    """`block_expansion`, `max_features` and `num_blocks` of the hourglass under a prefix."""
    down = widths(state, prefix + "encoder.down_blocks.")
    up = widths(state, prefix + "decoder.up_blocks.")
    if not down or not up:
        raise KeyError(prefix + "encoder.down_blocks.0.conv.weight")
    return {"block_expansion": up[-1], "max_features": max(down), "num_blocks": len(down)}


def generator_sizes(state: State) -> dict[str, int]:
    """`block_expansion`, `max_features` and the numbers of blocks of a generator without its motion network."""
    first, down = state["first.conv.weight"].shape[0], widths(state, "down_blocks.")
    return {
        "block_expansion": first,
        "max_features": max(down, default=first),
        "num_down_blocks": len(down),
        "num_bottleneck_blocks": sum(key.endswith("conv1.bias") for key in state if key.startswith("bottleneck.")),
    }


def blur_scale(state: State, prefix: str, absent: float) -> float:
    """The scale whose own blur kernel has the stored size (13 taps: a quarter); `absent` where none is stored."""
    weight = state.get(prefix + "down.weight")
    if weight is None:
        return absent
    taps = weight.shape[-1]
    for power in range(1, 6):
        if 2 * round(4 * blur_sigma(0.5**power)) + 1 == taps:
            return 0.5**power
    raise CheckpointError(f"{prefix}down.weight is a {taps}-tap blur; 5, 13 or 29 taps were expected.")
