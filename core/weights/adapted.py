"""Running weights at another scale, or with another sampling, than their file says."""

from __future__ import annotations

from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from typing_extensions import Self

from ..errors import InputError
from ..types import LoadOptions
from .limits import SCALES, scales


class Adaptable(Protocol):
    """A configuration with an `align_corners`, and a scale that its weights do not depend on."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def at_scale(self, scale_factor: float) -> Self: ...


Config = TypeVar("Config", bound=Adaptable)


def adapted(config: Config, options: LoadOptions) -> Config:
    """The configuration with what the options ask for; raises InputError for a scale that is none."""
    if options.scale_factor is not None:
        if options.scale_factor not in SCALES:
            raise InputError(f"The scale factor is {options.scale_factor}; {scales()} was wanted.")
        config = config.at_scale(options.scale_factor)
    if options.aligned_sampling is not None:
        config = replace(config, align_corners=options.aligned_sampling)
    return config
