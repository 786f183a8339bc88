"""Work of the node Animate Video: from file to file, with progress, in memory that does not grow with the clip."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from torch import Tensor

from ...animation.framing import Framing
from ...animation.media.clip import FileClip
from ...animation.media.frames_clip import FramesClip
from ...animation.options import AnimateOptions, first_picture
from ...animation.video import FileSource, animate_clip, plan_faces
from ...core.types import LoadOptions
from ...core.weights.find import WeightFiles
from ..images import Video
from . import models, progress
from .shared import SharedOptions
from .videos import MADE_IN_MEMORY, new_file, opened


def animate_video(
    source: Tensor | Video,
    driving: Video,
    find_files: Callable[[], WeightFiles],
    framing: Framing,
    shared: SharedOptions,
) -> Path:
    """Animate an IMAGE or a VIDEO by a VIDEO, and return the video file, among ComfyUI's temporary ones.

    The driving video's sound, turning and times of frames are kept. A VIDEO as source moves. If the work is cancelled
    or fails, no file stays.
    """
    options, hooks, path = shared.added_to(AnimateOptions()), progress.hooks(), new_file()
    with ExitStack() as stack:
        clip = shared.file_driving(stack.enter_context(opened(driving)))
        found = _moving(source, clip, shared) if isinstance(source, Tensor) else stack.enter_context(opened(source))
        plan = plan_faces(framing, found, [clip], hooks)
        predictor = models.get_predictor(find_files(), LoadOptions(), shared.engine(), options, shared.enhancer)
        bar = progress.VideoProgress()
        animate_clip(predictor, found, clip, path, options, hooks=hooks, plan=plan, progress=bar.update, show=bar.show)
    return path


def _moving(images: Tensor, clip: FileClip, shared: SharedOptions) -> FileSource:
    """Return the first picture of an IMAGE, or all as a clip of the driving video's rate where the options say so."""
    if not shared.batch_moves:
        return [first_picture(images)]
    return FramesClip(images, clip.fps, MADE_IN_MEMORY)
