"""Animation of a picture file by a video file, into a file of frames with the driving video's sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from ..core.errors import InputError
from .media.clip import FileClip
from .media.contact_sheet import SheetSampler
from .media.open_clip import open_clip
from .media.prefetch import PrefetchedClip, prefetch
from .media.reader import read_picture
from .media.writer import open_writer
from .pipeline import SOURCE, AnimateOptions, Hooks, Pictures, first_picture, ignore
from .predictor import Predictor


def animate_file(
    source: str | Path | Sequence[str | Path],
    driving: str | Path,
    output: str | Path,
    predictor: Predictor | None = None,
    options: AnimateOptions | None = None,
    *,
    best_frame: str | None = None,
    sheet: str | Path | None = None,
    fps: float | Fraction | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
) -> int:
    """Animate a picture file by a video file, keeping the times of its frames and its sound; return their number.

    >>> animate_file("face.png", "talking.mp4", "result.mp4", Predictor.load("vox-adv"))

    `source` is a picture, or several of one face for a model that takes them. `driving` may also be an animated or a
    still picture, a folder of frames or a pattern of their names (`%03d.png`), of which `fps` is the rate (25). The
    suffix of `output` says what is written: a video (mp4, m4v, mov, mkv, webm), or, without sound, an animated picture
    (gif, webp) or numbered pictures (png); it is replaced only when the new file is complete. Without a `predictor` the
    bundled model animates. `best_frame` is as in `Predictor.animate`; `sheet` names a png that shows source, driving
    and result side by side; `progress` is called with the frames done and in total. Reading, drawing and writing go on
    at the same time, in memory that does not grow with the clip.

    Raises MediaError for files that cannot be read or written, InputError for what cannot be animated.
    """
    paths = [source] if isinstance(source, str | Path) else source
    if not paths:
        raise InputError("has 0 pictures; 1 or more was wanted. Name a picture file.", SOURCE)
    pictures, clip = [read_picture(Path(path)) for path in paths], open_clip(driving, fps)
    predictor = predictor or Predictor.load()
    return animate_clip(predictor, pictures, clip, output, options, best_frame, sheet, hooks, progress)


def animate_clip(
    predictor: Predictor,
    pictures: Pictures,
    clip: FileClip,
    output: str | Path,
    options: AnimateOptions | None = None,
    best_frame: str | None = None,
    sheet: str | Path | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
) -> int:
    """Animate pictures already read by a clip already opened; see `animate_file`."""
    frames = predictor.animate(pictures, PrefetchedClip(clip), options, hooks, best_frame)
    sampler, done = SheetSampler(len(clip)), 0
    with open_writer(output, clip.times, audio_from=clip.sound) as writer:
        for part in prefetch(frames):
            writer.write(part)
            sampler.add(part)
            done += len(part)
            progress(done, len(clip))
    if sheet is not None:
        sampler.save(first_picture(pictures), clip, Path(sheet))
    return done
