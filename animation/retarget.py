"""Retargeting: the pose that the source takes for a driving frame, computed alike for every architecture."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..core.layers.matrix2x2 import inverse_2x2
from ..core.types import Motion
from .hull import hull_area

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retargeting:
    """Settings for carrying the driving clip's motion over to the source.

    `mode` "standard" takes the driving pose as it is. "relative" adds the change since the anchor frame to the
    source's own pose, p = p_s + c (p_t - p_0), and with `relative_jacobian` to its linear maps too,
    J = J_t J_0^-1 J_s (FOMM, section 3.3). With `adapt_scale`, c is the ratio of the sizes of source and anchor, else
    1. "avd" has a network of the model give the source's shape the driving pose. None is "relative" for a model that
    offers it, else the model's default. `background`, only in "standard", has the model move the background, if it can.
    """

    mode: str | None = None
    relative_jacobian: bool = True
    adapt_scale: bool = True
    background: bool = False


def movement_scale(source: Motion, anchor: Motion) -> float:
    """Compute sqrt(hull area) of the source's points over that of the anchor's; 1 where either hull is flat."""
    areas = [hull_area(motion.points[0].float().cpu().numpy()) for motion in (source, anchor)]
    if min(areas) == 0:
        log.warning(
            "The keypoints of %s lie on one line; movement scale 1 is used.", "source" if not areas[0] else "anchor"
        )
        return 1.0
    return math.sqrt(areas[0]) / math.sqrt(areas[1])


@dataclass(frozen=True, slots=True)
class Retargeter:
    """Retargeting for one clip, with everything that depends on source and anchor alone precomputed.

    Without an anchor the driving pose is taken as it is, or mapped by `own`, a network of the model.
    """

    settings: Retargeting
    source: Motion
    anchor: Motion | None
    scale: float = 1.0
    own: Callable[[Motion], Motion] | None = None

    @classmethod
    def for_clip(cls, settings: Retargeting, source: Motion, anchor: Motion | None) -> Retargeter:
        """Create from the source's motion and that of one driving frame, the `anchor`; None in "standard"."""
        adapt = settings.adapt_scale and anchor is not None
        scale = movement_scale(source, anchor) if adapt and anchor is not None else 1.0
        return cls(settings, source, anchor, scale)

    def of(self, source: Motion) -> Retargeter:
        """Return the same retargeting for another pose of the source, or for B poses, one for each driving pose."""
        return replace(self, source=source)

    def __call__(self, driving: Motion) -> Motion:
        """Compute the poses that the source takes for a batch of driving motions."""
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
