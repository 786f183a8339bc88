"""Configuration of the bundled network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from ...core.weights.checkpoint import State
from .. import config as fomm

SIZE = 128  # side in pixels of the pictures that the file was trained on


@dataclass(frozen=True, slots=True)
class DrawnGeneratorConfig(fomm.GeneratorConfig):
    """Sizes of the generator. `skips` is always true; stored files say so."""

    skips: bool = True

    def check(self) -> None:
        """Raise ValueError where the settings are another network's."""
        if not self.skips:
            raise ValueError("skips is false; the bundled network always has them")


@dataclass(frozen=True, slots=True)
class DrawnConfig(fomm.FOMMConfig):
    """Settings of a whole model, as a FOMM's."""

    generator: DrawnGeneratorConfig = DrawnGeneratorConfig()

    def check(self) -> None:
        """Raise ValueError where the settings are another network's."""
        if self.mobile_net:
            raise ValueError("mobile_net is true; the bundled network never has mobile blocks")


def from_states(kp_detector: State, generator: State) -> DrawnConfig:
    """Read every size off the tensors of a checkpoint; raises KeyError if it is not the bundled network's."""
    plain = fomm.from_states(kp_detector, generator)
    values: dict[str, Any] = {field.name: getattr(plain, field.name) for field in fields(plain)}
    values["generator"] = DrawnGeneratorConfig(**asdict(plain.generator))
    return DrawnConfig(**values)
