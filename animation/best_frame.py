"""Finding the anchor frame, by face landmarks where they can be had, else by the model's own keypoints."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import InputError
from ..core.precision import inference_mode
from ..core.types import Animator, Clip
from .anchor import Points, nearest, pose_distances
from .backoff import BackOff
from .frames import FrameFormat
from .pipeline import DRIVING, SOURCE, AnimateOptions, Hooks, Pictures, check_clip, first_picture, working_size

log = logging.getLogger(__name__)

METHODS = ("auto", "face landmarks", "model keypoints")

PoseReader = Callable[[Tensor], list[Points | None]]
LandmarkFinder = Callable[[NDArray[np.uint8]], list[NDArray[np.floating] | None]]


@inference_mode()
def find_best_frame(
    animator: Animator,
    source: Pictures,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions,
    hooks: Hooks,
    landmarks: LandmarkFinder | None = None,
) -> int:
    """Index of the driving frame closest in pose to the source, the first picture of several.

    With `landmarks` the faces decide; where the source or every frame shows none, and without it, the
    model's keypoints do, which works for anything it animates.
    """
    check_clip(source, clip, options)
    size = working_size(animator, options)
    format_ = FrameFormat((size, size), device, options.antialias)
    readers: list[tuple[str, PoseReader]] = [("model keypoints", _keypoint_reader(animator))]
    if landmarks is not None:
        readers.insert(0, ("face landmarks", _landmark_reader(landmarks)))
    for name, read in readers:
        distances = _distances(read, source, clip, format_, options.batch, hooks)
        if np.isfinite(distances).any():
            best = nearest(distances)
            log.info("Best frame: %d of %d, by %s.", best, len(clip), name)
            return best
        log.warning("No pose could be compared by %s.", name)
    return 0


def _distances(
    read: PoseReader, source: Pictures, clip: Clip, format_: FrameFormat, batch: int, hooks: Hooks
) -> NDArray[np.float64]:
    wanted = read(format_.convert(first_picture(source), SOURCE))[0]
    if wanted is None:
        return np.full(len(clip), np.inf)
    poses: list[Points | None] = []
    back_off = BackOff(hooks.free_memory)
    for chunk in clip.chunks(batch):
        hooks.check_cancelled()
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
    """The finder for one of METHODS, None where keypoints are to decide.

    "auto" takes landmarks if they are installed; "face landmarks" raises InputError if they are not.
    """
    from ..faces.landmarks import FaceLandmarks, missing_parts

    if method not in METHODS:
        raise InputError(f"The best-frame method is {method!r}; choose one of: {', '.join(METHODS)}.")
    if method == "model keypoints":
        return None
    missing = missing_parts()
    if not missing:
        return FaceLandmarks(device)
    if method == "face landmarks":
        raise InputError(
            f"Face landmarks need {missing[0]}, which is not installed. "
            "Install it, or choose the model's keypoints to find the best frame."
        )
    log.info("Best frame by the model's keypoints; for face landmarks, install %s.", missing[0])
    return None
