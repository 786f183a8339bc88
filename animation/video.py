"""Animation of a picture file by a video file, into a file of frames with the driving video's sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from ..core.atomic_file import atomic_write
from ..core.errors import InputError
from ..core.output_path import Output, check_output, numbered_names, refuse_clashes
from .enhance import Enhancer
from .faces.clips import ShiftedClip
from .frames import FrameFormat
from .framing import FacePlan, Framing
from .full_size import animate_faces
from .inspection import Inspector
from .media.clip import FileClip
from .media.contact_sheet import SheetSampler, sheet_refusals
from .media.frame_times import FrameTimes
from .media.frame_writer import FrameWriter
from .media.open_clip import is_clip, open_clip
from .media.picture_sequence import numbered_name
from .media.prefetch import prefetch
from .media.reader import read_picture
from .media.writer import open_writer
from .motion.clips import prefetched
from .motion.track import MotionTrack
from .motion.track_file import check_motion_file, is_motion_file
from .moving import as_long_as, is_moving, result_frames
from .options import SOURCE, AnimateOptions, Hooks, first_picture, ignore, working_size
from .predictor import Predictor
from .unused import given_options, refuse_unused_options

DEFAULT_RATE = 25  # frames per second, to ask a writer whether it could write
NUMBERED_SUFFIX = SHEET_SUFFIX = ".png"


def animate_file(
    source: str | Path | Sequence[str | Path],
    driving: str | Path,
    output: str | Path,
    predictor: Predictor | None = None,
    options: AnimateOptions | None = None,
    *,
    best_frame: str | None = None,
    sheet: str | Path | None = None,
    inspect: str | Path | None = None,
    fps: float | Fraction | None = None,
    framing: Framing | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
    enhancer: Enhancer | None = None,
) -> int:
    """Animate a picture file by a video file, keeping the times of its frames and its sound; return their number.

    >>> animate_file("face.png", "talking.mp4", "result.mp4", Predictor.load("vox-adv"))

    `source` is a picture, or several of one face for a model that takes them; of a video, or an animated picture, every
    frame is animated, as `options.moving` says, at its own speed. `driving` may also be an animated or a
    still picture, a folder of frames or a pattern of their names (`%03d.png`), of which `fps` is the rate (25), or a
    motion file (`MotionTrack.save`), which has no sound. The
    suffix of `output` says what is written: a video (mp4, m4v, mov, mkv, webm), or, without sound, an animated picture
    (gif, webp) or numbered pictures (png); it is replaced only when the new file is complete. Without a `predictor` the
    bundled model animates. `best_frame` is as in `Predictor.animate`; `sheet` names a png that shows source, driving
    and result side by side, `inspect` a file, of any kind that `output` may be, that shows keypoints, flow, occlusion
    and moved pixels beside each frame, for whole pictures. `framing` decides on the faces that are animated where they
    are; by default those of a picture that is not square, if any are found, else the whole picture is, stretched to a
    square. An `enhancer` restores or enlarges faces before they are pasted, or whole frames, which then have the size
    that it gives them. `progress` is called with the frames done and in total. Reading, drawing and writing go on at
    the same time, in memory that does not grow with the clip.

    Raises MediaError for files that cannot be read or written, InputError for what cannot be animated.
    """
    paths = [Path(path) for path in ([source] if isinstance(source, str | Path) else source)]
    if not paths:
        raise InputError("has 0 pictures; 1 or more was wanted. Name a picture file.", SOURCE)
    paths_in = {"the source picture": paths, "the driving video": Path(driving)}
    check_results(Path(output), sheet, paths_in, inspect=inspect)
    pictures, clip = open_source(paths), open_driving(driving, fps)
    predictor = predictor or Predictor.load()
    plan = plan_faces(framing or Framing(), pictures, [clip], hooks)
    return animate_clip(
        predictor, pictures, clip, output, options, best_frame, sheet, hooks, progress, plan, enhancer, inspect
    )


FileSource = Sequence[Tensor] | FileClip
"""Pictures (1, H, W, 3) of one face, or a clip whose frames are all animated."""


def open_source(paths: Sequence[Path]) -> FileSource:
    """Read source pictures, or open the one clip that is to move; raises MediaError or InputError."""
    if len(paths) == 1 and is_clip(paths[0]):
        return open_clip(paths[0])
    return [read_picture(path) for path in paths]


def open_driving(path: str | Path, fps: float | Fraction | None = None) -> FileClip:
    """Open what is to drive: what `open_clip` opens, or a motion file. Raises as that and `MotionTrack.load` do."""
    if not is_motion_file(path):
        return open_clip(path, fps)
    if fps is not None:
        raise InputError(f"is {float(fps):g}, but {path} has its own rate. Leave it out.", "fps")
    return MotionTrack.load(path)


def plan_faces(
    framing: Framing, source: FileSource, clips: Sequence[FileClip], hooks: Hooks | None = None
) -> FacePlan | None:
    """Plan which faces of a source are animated by clips; None for whole pictures, and for several of one face."""
    drivers = [(prefetched(clip), float(clip.fps)) for clip in clips]
    if is_moving(source):
        return framing.plan(source, drivers, hooks, float(source.fps))
    return framing.plan(source[0], drivers, hooks) if len(source) == 1 else None


def check_results(
    output: Path,
    sheet: str | Path | None,
    inputs: Mapping[str, Path | Sequence[Path] | None],
    motion: Path | None = None,
    inspect: str | Path | None = None,
) -> None:
    """Refuse results before any work: those that cannot be written, and those that name an input or each other.

    `inputs` are files by what they are, as in `refuse_clashes`; `motion` is a motion file to write. Raises MediaError
    or InputError.
    """
    open_writer(output, DEFAULT_RATE)  # which writes nothing yet
    if inspect is not None:
        open_writer(inspect, DEFAULT_RATE)
    planned = planned_results(output, sheet, inspect)
    if motion is not None:
        check_motion_file(motion)
        planned.append(Output("motion_file", motion))
    refuse_clashes(planned, inputs)


def planned_results(output: Path, sheet: str | Path | None, inspect: str | Path | None = None) -> list[Output]:
    """List the files of an animation; raises MediaError or InputError for a sheet that cannot be written."""
    films = {"output": output} | ({} if inspect is None else {"inspect": Path(inspect)})
    planned = [
        Output(name, path, numbered_names(numbered_name(path)) if path.suffix.lower() == NUMBERED_SUFFIX else None)
        for name, path in films.items()
    ]
    if sheet is not None:
        sheet = Path(sheet)
        if sheet.suffix.lower() != SHEET_SUFFIX:
            raise InputError(f"is {sheet}; a name that ends in {SHEET_SUFFIX} was wanted. Rename it.", "sheet")
        check_output(sheet)
        planned.append(Output("sheet", sheet))
    return planned


def result_names(output: Path, frames: int) -> list[Path]:
    """Return the names under which a result of so many frames lies: its own, or its first and its last picture's."""
    if output.suffix.lower() != NUMBERED_SUFFIX:
        return [output]
    pattern = numbered_name(output)
    return [output.with_name(pattern % number) for number in dict.fromkeys((1, frames))]


def animate_clip(
    predictor: Predictor,
    source: FileSource,
    clip: FileClip,
    output: str | Path,
    options: AnimateOptions | None = None,
    best_frame: str | None = None,
    sheet: str | Path | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
    plan: FacePlan | None = None,
    enhancer: Enhancer | None = None,
    inspect: str | Path | None = None,
    show: Callable[[Tensor], None] = ignore,
) -> int:
    """Animate a source already read by a clip already opened, or with a plan the faces of one; see `animate_file`.

    `show` is called with the pictures of each part (b, 3, H, W) once they are written.
    """
    for name, path in {"sheet": sheet, "inspect": inspect}.items():
        if path is not None and isinstance(clip, MotionTrack):
            raise InputError("was given; it shows driving frames, and a motion file has none. Leave it out.", name)
    options = at_own_speed(options or AnimateOptions(), source, clip)
    refuse_unused_options(predictor.animator, options, given_options(options, best_frame))
    if plan is not None and inspect is not None:
        raise InputError("shows whole pictures, not the faces of one. Choose the framing stretch.", "inspect")
    total = result_frames(source, clip, options.moving) if plan is None else plan.result_frames(options.moving)
    times = clip.times if total <= len(clip) else FrameTimes.even(clip.fps, total)
    inspection = None if inspect is None else open_writer(inspect, times)
    if plan is not None:
        whole = source if is_moving(source) else source[0]
        frames = animate_faces(predictor, whole, plan, options, hooks, best_frame, enhancer)
    else:
        frames = _whole_frames(predictor, source, clip, options, hooks, best_frame, inspection)
        frames = frames if enhancer is None else enhancer.stream(frames, hooks)
    sampler, done = SheetSampler(total), 0
    with (
        nullcontext() if sheet is None else atomic_write(Path(sheet)) as sheet_part,
        nullcontext() if inspection is None else inspection,
        open_writer(output, times, audio_from=clip.sound) as writer,
        closing(prefetch(frames)) as ready,  # which writes the inspection, and ends before that is given up
    ):
        for part in ready:
            writer.write(part)
            sampler.add(part)
            show(part)
            done += len(part)
            progress(done, total)
        if sheet is not None and sheet_part is not None:
            with sheet_refusals(sheet):
                sampler.draw(first_picture(source), ShiftedClip(clip, 0, total)).save(sheet_part, format="PNG")
    return done


def _whole_frames(
    predictor: Predictor,
    source: FileSource,
    clip: FileClip,
    options: AnimateOptions,
    hooks: Hooks | None,
    best_frame: str | None,
    inspection: FrameWriter | None,
) -> Iterator[Tensor]:
    """Animate whole pictures, and write what the model saw where that is wanted."""
    driving = prefetched(clip)
    if inspection is None:
        yield from predictor.animate(source, driving, options, hooks, best_frame)
        return
    side = working_size(predictor.animator, options)
    shown = as_long_as(source, result_frames(source, clip, options.moving), options.moving)
    inspector = Inspector(shown, clip, FrameFormat((side, side), predictor.device, antialias=True))
    for part in predictor.animate_mapped(source, driving, options, hooks, best_frame):
        inspection.write(inspector.draw(part).movedim(-1, 1))
        yield part.pictures.cpu()


def at_own_speed(options: AnimateOptions, source: FileSource, clip: FileClip) -> AnimateOptions:
    """Return the options with the driving clip's rate, and the speed at which a source that moves keeps its own."""
    options = replace(options, rate=float(clip.fps))
    if not is_moving(source):
        return options
    return replace(options, moving=replace(options.moving, speed=float(source.fps / clip.fps)))
