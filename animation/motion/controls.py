"""Controls of motion: how strongly the source takes on a pose, its head and its expression apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.errors import InputError
from ...core.layers.matrix2x2 import inverse_2x2
from ...core.types import AnimatorSpec, Motion
from .powers import power_2x2
from .rigid import Similarity

MOST_STRENGTH = 4.0
MOST_SMOOTHING = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Controls:
    """Wishes for the motion of a clip. The defaults change nothing, not one bit.

    `strength` is how much of the way from the source's own pose to the retargeted one is gone: 0 keeps the source's, 2
    exaggerates. `head` is that of its rigid part (turn, scale and shift of all points together), `expression` that of
    what remains; both 0 to 4. `smoothing` is the standard deviation, in seconds, of the Gaussian that smooths the
    driving poses over time, 0 to 5. Raises InputError.
    """

    strength: float = 1.0
    head: float = 1.0
    expression: float = 1.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("strength", "head", "expression"):
            _check(name, getattr(self, name), MOST_STRENGTH, "1 leaves the motion as it is")
        _check("smoothing", self.smoothing, MOST_SMOOTHING, "0 smooths nothing, 0.1 takes away jitter", " seconds")

    @property
    def given(self) -> list[str]:
        """Names of the controls that change something."""
        values = {"strength": self.strength, "head": self.head, "expression": self.expression}
        return [name for name, value in values.items() if value != 1.0] + (["smoothing"] if self.smoothing else [])


def _check(name: str, value: float, most: float, hint: str, unit: str = "") -> None:
    if not (math.isfinite(value) and 0 <= value <= most):
        raise InputError(f"is {value:g}; 0 to {most:g}{unit} was wanted ({hint}). Choose a number between.", name)


def refuse_controls(spec: AnimatorSpec, controls: Controls) -> None:
    """Raise InputError for controls of a model whose driving frames keep their own pose."""
    if spec.keeps_pose and controls.given:
        name, *others = controls.given
        more = f" (so were {', '.join(others)})" if others else ""
        raise InputError(f"was given{more}; {spec.name} keeps the pose of its driving frames. Leave it out.", name)


def controlled(controls: Controls, source: Motion, motion: Motion, spec: AnimatorSpec) -> Motion:
    """Change B retargeted poses as the controls say, relative to the source's own (1 or B of them).

    With strength, head and expression 1 the given motion comes back; with strength 0 it is the source's own pose, bit
    for bit, and so are those parts of `extra` that the spec says describe the pose.
    """
    strength = 0.0 if controls.head == controls.expression == 0.0 else controls.strength
    if strength and (controls.head, controls.expression) != (1.0, 1.0):
        motion = _apart(controls, source, motion, spec)
    if strength == 1.0:
        return motion
    points = source.points + strength * (motion.points - source.points)
    maps, own = motion.jacobians, source.jacobians
    if maps is not None and own is not None:
        maps = power_2x2(_change(own, maps, spec), strength) @ own if strength else own + 0 * maps
    return Motion(points, maps, _blended(source, motion, spec.pose_extras, strength))


def _change(own: Tensor, maps: Tensor, spec: AnimatorSpec) -> Tensor:
    """Compute R = J J_s^-1 (B, K, 2, 2); where a map and its negative mean the same, the one that turns less."""
    change = maps @ inverse_2x2(own)
    if not spec.unsigned_frames:
        return change
    trace = change[..., 0, 0] + change[..., 1, 1]
    return torch.where((trace < 0)[..., None, None], -change, change)


def _apart(controls: Controls, source: Motion, motion: Motion, spec: AnimatorSpec) -> Motion:
    """Give the rigid part of a change and what remains their own strengths.

    With T the similarity from the source's points to the retargeted ones, p = T(p_s) + r. The head's part is T to a
    power; r, and what R has beyond T's linear map, stay as they are seen from the head.
    """
    head = Similarity.fit(source.points, motion.points)
    less, undo = head.power(controls.head), head.inverse()
    rest = undo.turn(motion.points - head(source.points))
    points = less(source.points) + less.turn(controls.expression * rest)
    maps, own = motion.jacobians, source.jacobians
    if maps is not None and own is not None:
        local = undo.matrix @ _change(own, maps, spec)
        maps = less.matrix @ power_2x2(local, controls.expression) @ own
    return Motion(points, maps, _blended(source, motion, spec.pose_extras, controls.expression))


def _blended(source: Motion, motion: Motion, names: Sequence[str], share: float) -> dict[str, Tensor]:
    """Return the extras of a motion, where those named go only `share` of the way from the source's own.

    Vectors may go further than all of it; matrices (B, K, 2, 2) are shapes, which would turn inside out.
    """
    extra = dict(motion.extra)
    for name in names:
        if name in extra and name in source.extra:
            own, other = source.extra[name], extra[name]
            weight = min(share, 1.0) if other.ndim == 4 else share
            extra[name] = other if weight == 1.0 else own + weight * (other - own)
    return extra
