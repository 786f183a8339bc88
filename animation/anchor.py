"""The anchor ("best") frame: the driving frame whose pose is closest to the source's.

The published tool animates two reversed halves from it. No model here keeps state between frames, so one
pass in order, measured from that frame, is the same (and cannot jump at the seam).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .hull import hull_area

Points = NDArray[np.floating]


def normalise_points(points: Points) -> Points | None:
    """Centre (N, 2 or 3) points and divide x and y by the square root of their hull area.

    A third coordinate is centred but not scaled, as published. None where the hull is flat.
    """
    centred = points.astype(np.float64) - points.mean(axis=0, keepdims=True)
    area = hull_area(centred[:, :2])
    if area == 0:
        return None
    centred[:, :2] /= np.sqrt(area)
    return centred


def pose_distances(source: Points, frames: Iterable[Points | None]) -> NDArray[np.float64]:
    """Summed squared differences between normalised points, one per frame.

    Infinite for a frame without points (no face found) or with a flat hull, and for every frame if it is
    the source that has a flat hull.
    """
    wanted = normalise_points(source)
    distances: list[float] = []
    for points in frames:
        normal = None if points is None else normalise_points(points)
        known = wanted is not None and normal is not None
        distances.append(float(np.square(wanted - normal).sum()) if known else np.inf)
    return np.array(distances, np.float64)


def nearest(distances: NDArray[np.float64]) -> int:
    """Index of the first smallest distance; 0 where none is finite."""
    return int(distances.argmin()) if np.isfinite(distances).any() else 0
