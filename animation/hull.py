"""Area of the convex hull of points, for movement scale and landmark normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

FLAT = 1e-12


def hull_area(points: NDArray[np.floating]) -> float:
    """Compute the area of the convex hull of (N, 2) points; 0 where it is flat or the points are not finite."""
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    try:
        area = float(ConvexHull(points.astype(np.float64)).volume)  # in 2-D, `area` is the perimeter
    except QhullError:
        return 0.0
    return area if area > FLAT else 0.0
