"""Retargeting: which pose the source takes for a driving frame. The same for every architecture."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from ..core.layers.matrix2x2 import inverse_2x2
from ..core.types import Motion
from .hull import hull_area

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retargeting:
    """How motion is carried over.

    "standard" takes the driving pose as it is. "relative" adds the driving clip's change since its anchor
    frame to the source's own pose, p = p_s + c (p_t - p_0), and with `relative_jacobian` the change of its
    linear maps too, J = J_t J_0^-1 J_s (FOMM, section 3.3). With `adapt_scale`, c is the ratio of the
    sizes of source and anchor, else 1. "avd" leaves it to a network of the model's to give the source's shape
    the driving pose. The two flags do nothing but in "relative". None is "relative" for a model that offers it,
    else the model's default. `background`, in "standard" alone, lets a network of the model's move what is behind,
    if the model has one.
    """

    mode: str | None = None
    relative_jacobian: bool = True
    adapt_scale: bool = True
    background: bool = False


def movement_scale(source: Motion, anchor: Motion) -> float:
    """sqrt(hull area of the source's points) / sqrt(that of the anchor's); 1 where either hull is flat."""
    areas = [hull_area(motion.points[0].float().cpu().numpy()) for motion in (source, anchor)]
    if min(areas) == 0:
        log.warning(
            "The keypoints of %s lie on one line; movement scale 1 is used.", "source" if not areas[0] else "anchor"
        )
        return 1.0
    return math.sqrt(areas[0]) / math.sqrt(areas[1])


@dataclass(frozen=True, slots=True)
class Retargeter:
    """Retargeting for one clip, with what depends on source and anchor alone worked out.

    Without an anchor the driving pose is taken as it is, or as `own`, a network of the model's, gives it.
    """

    settings: Retargeting
    source: Motion
    anchor: Motion | None
    scale: float = 1.0
    own: Callable[[Motion], Motion] | None = None

    @classmethod
    def for_clip(cls, settings: Retargeting, source: Motion, anchor: Motion | None) -> Retargeter:
        """`anchor` is the motion of one driving frame; None in "standard", which needs none."""
        adapt = settings.adapt_scale and anchor is not None
        scale = movement_scale(source, anchor) if adapt and anchor is not None else 1.0
        return cls(settings, source, anchor, scale)

    def __call__(self, driving: Motion) -> Motion:
        """The poses the source takes for a batch of driving motions."""
        if self.own is not None:
            return self.own(driving)
        if self.anchor is None:
            return driving
        points = self.source.points + self.scale * (driving.points - self.anchor.points)
        frames = driving.jacobians
        if self.settings.relative_jacobian and not (
            frames is None or self.anchor.jacobians is None or self.source.jacobians is None
        ):
            frames = frames @ inverse_2x2(self.anchor.jacobians) @ self.source.jacobians
        return Motion(points, frames, driving.extra)
