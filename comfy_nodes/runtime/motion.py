"""Work of the nodes that read, keep, mix and use motion without pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import folder_paths
from torch import Tensor

from ...animation.engine import Engine
from ...animation.media.prefetch import PrefetchedClip
from ...animation.motion.track import MotionTrack
from ...animation.motion.track_file import SUFFIX
from ...animation.moving import result_frames
from ...animation.options import AnimateOptions
from ...core.errors import InputError
from ...core.types import Clip, LoadOptions
from ...core.weights.find import WeightFiles
from ...core.weights.paths import resolve_inside
from ..images import Video
from . import models, progress
from .run import collected
from .shared import SharedOptions
from .videos import opened

OUTPUT = " [output]"  # as ComfyUI marks files that are not in its input folder
FOLDER = "motion"


def read_motion(driving: Video, files: WeightFiles) -> MotionTrack:
    """Read the motion of a VIDEO with a model."""
    with opened(driving) as clip:
        options = AnimateOptions(rate=float(clip.fps))
        predictor = models.get_predictor(files, LoadOptions(), Engine(), options)
        return predictor.read_motion(_Counted(PrefetchedClip(clip)), options, progress.hooks())


class _Counted:
    """Clip whose frames move a progress bar on as they are read."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def __len__(self) -> int:
        return len(self._clip)

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, H, W, C)."""
        return self._clip.frame(index)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames, `size` at a time."""
        bar, done = progress.Progress(len(self)), 0
        for chunk in self._clip.chunks(size):
            yield chunk
            done += len(chunk)
            bar.update(done, chunk[-1:] if chunk.is_floating_point() else chunk[-1:] / 255)


def animate_by(source: Tensor, motion: MotionTrack, files: WeightFiles, shared: SharedOptions) -> Tensor:
    """Animate an IMAGE by motion: IMAGE (N, size, size, 3)."""
    options = shared.added_to(AnimateOptions(rate=float(motion.fps)))
    moving, track = shared.source(source), shared.file_driving(motion)
    predictor = models.get_predictor(files, LoadOptions(), shared.engine(), options, shared.enhancer)
    pictures = shared.enhanced(predictor.animate(moving, track, options, progress.hooks()))
    return collected(pictures, result_frames(moving, track, options.moving))


def save_motion(motion: MotionTrack, prefix: str) -> str:
    """Save motion in ComfyUI's output folder, under the next free number; return its name for Load Motion.

    Raises InputError for a prefix that leads out of the folder.
    """
    root = Path(folder_paths.get_output_directory())
    if not prefix.strip("/\\ "):
        raise InputError("is empty; a name such as motion/talking was wanted. Give one.", "filename_prefix")
    resolve_inside(root, prefix, "the output folder")
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(root))
    path = Path(folder) / f"{name}_{counter:05}_{SUFFIX}"
    motion.save(path)
    return path.relative_to(root).as_posix() + OUTPUT


def load_motion(name: str) -> MotionTrack:
    """Load motion from ComfyUI's input folder or, as `save_motion` names it, from its output folder."""
    return MotionTrack.load(path_of(name))


def path_of(name: str) -> Path:
    """Resolve the name of a motion file; raises InputError for one that leads out of its folder."""
    if name.endswith(OUTPUT):
        return resolve_inside(Path(folder_paths.get_output_directory()), name.removesuffix(OUTPUT), "the output folder")
    return resolve_inside(Path(folder_paths.get_input_directory()), name, "the input folder")


def stamp_of(name: str) -> str:
    """Return a text that changes with a motion file; "" while there is none by that name."""
    try:
        path = path_of(name)
    except InputError:  # `load_motion` raises it again, where the user sees it
        return ""
    return f"{path} {path.stat().st_mtime_ns}" if path.is_file() else ""


def motion_files() -> list[str]:
    """List motion files in the input and output folders and in their subfolder for motion, for a menu."""
    roots = {"": folder_paths.get_input_directory(), OUTPUT: folder_paths.get_output_directory()}
    return [name for mark, root in roots.items() for name in sorted(_found(Path(root), mark))]


def _found(root: Path, mark: str) -> Iterator[str]:
    for pattern in (f"*{SUFFIX}", f"{FOLDER}/**/*{SUFFIX}"):
        for path in root.glob(pattern):
            if path.is_file():
                yield path.relative_to(root).as_posix() + mark
