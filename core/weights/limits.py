"""What a description of a network may say: it comes from a file, and must not cost all memory or all day."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from ..errors import CheckpointError

SCALES = tuple(0.5**power for power in range(6))
WIDEST = 65536  # channels, or pixels
LEAST = {"num_channels": 3, "pad": 0, "num_down_blocks": 0, "num_bottleneck_blocks": 0}
MOST = {
    "num_channels": 3,
    "num_kp": 1000,
    "num_segments": 1000,
    "num_blocks": 16,
    "num_down_blocks": 16,
    "num_bottleneck_blocks": 256,
    "pad": 64,
    "depth": 64,
    "kp_octaves": 24,
    "pix_octaves": 24,
}
LARGEST_SIGMA = 16.0


def check_limits(config: object, size: int) -> None:
    """Raise CheckpointError at the first setting that is of the wrong kind or beyond all reason."""
    for name, value, default in [("size", size, 256), *_settings(config)]:
        wanted = _wanted(name, value, default)
        if wanted:
            raise CheckpointError(f"{name} is {value!r}; {wanted} was wanted")


def _settings(part: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and default of every setting, those of the parts included."""
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _settings(value)
        else:
            yield field.name, value, field.default


def _wanted(name: str, value: Any, default: Any) -> str | None:
    """What should have been there, or None where the value will do."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if default is None and value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "scale_factor":
        return None if number and value in SCALES else scales()
    if isinstance(default, int):
        least, most = LEAST.get(name, 1), MOST.get(name, WIDEST)
        whole = number and isinstance(value, int) and least <= value <= most
        return None if whole else f"a whole number from {least} to {most}"
    most = LARGEST_SIGMA if name == "sigma" else math.inf
    return None if number and (0 < value < most or value == default) else "a positive number"


def scales() -> str:
    """The scales there are, for a message."""
    return "one of " + ", ".join(f"{scale:g}" for scale in SCALES)
