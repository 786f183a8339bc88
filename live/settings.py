"""Settings of a live animation that a page may change while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from ..animation.faces.face import LARGEST
from ..animation.motion.controls import Controls
from ..core.errors import InputError, quote
from ..core.types import AnimatorSpec

FACE, WHOLE = FRAMINGS = ("face", "whole")
SQUARE: Final = "square"
SHOWN: Final = (SQUARE, WHOLE)
TEXTS: Final = ("framing", "shown", "faces")
MOST: Final = {"strength": 2.0, "expression": 2.0, "smooth": 1.0}
HINTS: Final = {
    "strength": "1 takes movement as it is",
    "expression": "1 takes the face's own as it is",
    "smooth": "seconds; 0.08 takes away jitter",
}


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Wishes for how a picture follows a camera.

    `strength` is of all movement, `expression` of the face's alone, both 0 to 2; `smooth`, in seconds, steadies a still
    head. With `mirror` the camera's pictures are turned left to right first; with `hold` the picture stays as it is.
    `framing` "face" follows the head in the camera's pictures, "whole" takes the square in their middle; None is
    "whole" for pictures that are square, else "face".

    `shown` of the picture is the "whole", with the faces that move in their place, or a "square": that of a face, but
    of pictures that are square themselves all, unless one face is chosen; None is "square" for those, else "whole".
    `faces` are those that move, as `FaceOptions` has them. Raises InputError.
    """

    strength: float = 1.0
    expression: float = 1.0
    smooth: float = 0.08
    mirror: bool = False
    hold: bool = False
    framing: str | None = None
    shown: str | None = None
    faces: str = LARGEST

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value: float = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= most):
                raise InputError(f"is {value:g}; 0 to {most:g} was wanted ({HINTS[name]}).", name)
        for name, known in {"framing": FRAMINGS, "shown": SHOWN}.items():
            if getattr(self, name) not in (None, *known):
                raise InputError(f"is {quote(getattr(self, name))}; choose one of: {', '.join(known)}.", name)

    @property
    def controls(self) -> Controls:
        """Controls of motion, without smoothing: that of a clip looks ahead."""
        return Controls(self.strength, expression=self.expression)

    def changed(self, changes: Mapping[str, object]) -> LiveSettings:
        """Return the settings with those that a page sent. Raises InputError for unknown names and wrong values."""
        return replace(self, **{name: _checked(name, value) for name, value in changes.items()})

    def fitting(self, spec: AnimatorSpec) -> LiveSettings:
        """Return the settings that a model can use: with one that keeps the camera's pose, nothing changes movement."""
        return replace(self, strength=1.0, expression=1.0, smooth=0.0) if spec.keeps_pose else self

    def refuse_unfitting(self, spec: AnimatorSpec) -> None:
        """Raise InputError for the first setting that a model cannot follow."""
        fitting = self.fitting(spec)
        for name in MOST:
            if getattr(self, name) != getattr(fitting, name):
                raise InputError(f"was given; {spec.name} keeps the pose of the camera's pictures. Leave it.", name)


NAMES: Final = tuple(field.name for field in fields(LiveSettings))


def _checked(name: str, value: object) -> object:
    if name not in NAMES:
        raise InputError(f"{quote(name)} is no setting; these are: {', '.join(NAMES)}.")
    if name in MOST:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"is {quote(value)}; a number was wanted.", name)
        try:
            return float(value)
        except OverflowError:
            return math.inf  # whose bounds say it
    wanted, words = (str, "a text") if name in TEXTS else (bool, "true or false")
    if not isinstance(value, wanted):
        raise InputError(f"is {quote(value)}; {words} was wanted.", name)
    return value
