"""Best frame: the driving frame whose pose is closest to the source's, as an anchor for relative motion.

Poses are compared by face landmarks where available, else by the model's own keypoints. The published tool animates two
reversed halves from the best frame. No model here keeps state between frames, so one pass in order, measured from that
frame, is the same (and cannot jump at the seam).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import InputError
from ..core.inference.precision import inference_mode
from ..core.types import Animator, Clip
from .frames import FrameFormat
from .hull import hull_area
from .motion.track import MotionTrack
from .moving import Source
from .options import DRIVING, SOURCE, AnimateOptions, Hooks, check_clip, first_picture, working_size
from .out_of_memory import try_twice

log = logging.getLogger(__name__)

AUTO, LANDMARKS, KEYPOINTS = METHODS = ("auto", "face landmarks", "model keypoints")

Points = NDArray[np.floating]
PoseReader = Callable[[Tensor], list[Points | None]]
LandmarkFinder = Callable[[NDArray[np.uint8]], list[NDArray[np.floating] | None]]


@inference_mode()
def find_best_frame(
    animator: Animator,
    source: Source,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions,
    hooks: Hooks,
    landmarks: LandmarkFinder | None = None,
) -> int:
    """Find the index of the driving frame closest in pose to the source, the first picture of several.

    `landmarks` compares faces. Without it, and where the source or every frame shows no face, the model's keypoints are
    compared, which works for anything that it animates.
    """
    check_clip(source, clip, options)
    size = working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    readers: dict[str, PoseReader] = {} if landmarks is None else {LANDMARKS: _landmark_reader(landmarks)}
    readers[KEYPOINTS] = _keypoint_reader(animator)
    for name, read in readers.items():
        distances = _distances(read, source, clip, format_, options.batch, hooks)
        if np.isfinite(distances).any():
            best = nearest(distances)
            log.info("Best frame: %d of %d, by %s.", best, len(clip), name)
            return best
        log.warning("No pose could be compared by %s.", name)
    return 0


def _distances(
    read: PoseReader, source: Source, clip: Clip, format_: FrameFormat, batch: int | None, hooks: Hooks
) -> NDArray[np.float64]:
    [wanted] = try_twice(
        lambda: read(format_.convert(first_picture(source), SOURCE)), hooks.free_memory, "reading the source's pose"
    )
    if wanted is None:
        return np.full(len(clip), np.inf)
    if isinstance(clip, MotionTrack):
        return pose_distances(wanted, list(clip.motion.points.numpy()))
    poses: list[Points | None] = []
    back_off = hooks.back_off()
    for chunk in hooks.chunks(clip, batch):
        for part in back_off.run(lambda frames: read(format_.convert(frames, DRIVING)), chunk):
            poses += part
    return pose_distances(wanted, poses)


def _keypoint_reader(animator: Animator) -> PoseReader:
    return lambda frames: list(animator.motion(frames).points.float().cpu().numpy())


def _landmark_reader(landmarks: LandmarkFinder) -> PoseReader:
    def read(frames: Tensor) -> list[Points | None]:
        pictures = (frames * 255).round().to(torch.uint8).movedim(1, -1)
        return landmarks(pictures.cpu().numpy())

    return read


def landmark_finder(method: str, device: torch.device) -> LandmarkFinder | None:
    """Create the landmark finder for one of METHODS; None where the model's keypoints are to be compared.

    "auto" takes landmarks if they are installed; "face landmarks" raises InputError if they are not.
    """
    from .faces.finders.s3fd import INSTALL
    from .faces.landmarks import FaceLandmarks, missing_parts

    if method not in METHODS:
        raise InputError(f"is {method!r}; choose one of: {', '.join(METHODS)}.", "best_frame")
    if method == KEYPOINTS:
        return None
    missing = missing_parts()
    if not missing:
        return FaceLandmarks(device)
    if method == LANDMARKS:
        raise InputError(
            f"Face landmarks need {missing[0]}, which is not installed: {INSTALL}. "
            "Or choose the model's keypoints to find the best frame."
        )
    log.info("Best frame by the model's keypoints; for face landmarks, install %s.", missing[0])
    return None


def keypoints_only(method: str) -> None:
    """Check one of METHODS for movement without pictures, in which there are keypoints alone; InputError for others."""
    if method not in (AUTO, KEYPOINTS):
        raise InputError(
            f"is {method!r}, which needs pictures, and the driving motion has none. Choose {KEYPOINTS!r}.", "best_frame"
        )


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
    """Sum the squared differences between normalised points, for each frame.

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
    """Return the index of the first smallest distance; 0 where none is finite."""
    return int(distances.argmin()) if np.isfinite(distances).any() else 0
