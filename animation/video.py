"""Animation of a picture file by a video file, into a file of frames with the driving video's sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from ..core.atomic_file import atomic_write
from ..core.errors import InputError
from ..core.output_path import Output, check_output, numbered_names, refuse_clashes
from .media.contact_sheet import SheetSampler, sheet_refusals
from .media.picture_sequence import numbered_name
from .media.prefetch import PrefetchedClip, prefetch
from .media.reader import VideoClip, read_picture
from .media.writer import open_writer
from .pipeline import AnimateOptions, Hooks, Pictures, first_picture, ignore
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
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
) -> int:
    """Animate a picture file by a video file, keeping its frame rate and sound, and return the number of frames.

    >>> animate_file("face.png", "talking.mp4", "result.mp4", Predictor.load("vox-adv"))

    `source` is a picture, or several of one face for a model that takes them. The suffix of `output` says what is
    written: a video (mp4, m4v), or, without sound, an animated picture (gif, webp) or numbered pictures (png); it is
    replaced only when the new file is complete. Without a `predictor` the bundled model animates. `best_frame` is as
    in `Predictor.animate`; `sheet` names a png that shows source, driving and result side by side; `progress` is called
    with the frames done and in total. Reading, drawing and writing go on at the same time, in memory that does not grow
    with the clip.

    Raises MediaError for files that cannot be read or written, InputError for what cannot be animated.
    """
    paths = [Path(path) for path in ([source] if isinstance(source, str | Path) else source)]
    check_results(Path(output), sheet, {"the source picture": paths, "the driving video": Path(driving)})
    pictures, clip = [read_picture(path) for path in paths], VideoClip(driving)
    predictor = predictor or Predictor.load()
    return animate_clip(predictor, pictures, clip, output, options, best_frame, sheet, hooks, progress)


def check_results(output: Path, sheet: str | Path | None, inputs: Mapping[str, Path | Sequence[Path] | None]) -> None:
    """Refuse results before any work: those that cannot be written, and those that name an input or each other.

    `inputs` are files by what they are, as in `refuse_clashes`. Raises MediaError or InputError.
    """
    open_writer(output, DEFAULT_RATE)  # which writes nothing yet
    refuse_clashes(planned_results(output, sheet), inputs)


def planned_results(output: Path, sheet: str | Path | None) -> list[Output]:
    """List the files of an animation; raises MediaError or InputError for a sheet that cannot be written."""
    numbered = output.suffix.lower() == NUMBERED_SUFFIX
    planned = [Output("output", output, numbered_names(numbered_name(output)) if numbered else None)]
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
    pictures: Pictures,
    clip: VideoClip,
    output: str | Path,
    options: AnimateOptions | None = None,
    best_frame: str | None = None,
    sheet: str | Path | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[int, int], None] = ignore,
) -> int:
    """Animate pictures already read by a clip already opened; see `animate_file`."""
    options = options or AnimateOptions()
    refuse_unused_options(predictor.animator, options, given_options(options, best_frame))
    frames = predictor.animate(pictures, PrefetchedClip(clip), options, hooks, best_frame)
    sampler, done = SheetSampler(len(clip)), 0
    with (
        nullcontext() if sheet is None else atomic_write(Path(sheet)) as sheet_part,
        open_writer(output, clip.fps, audio_from=clip.path) as writer,
    ):
        for part in prefetch(frames):
            writer.write(part)
            sampler.add(part)
            done += len(part)
            progress(done, len(clip))
        if sheet is not None and sheet_part is not None:
            with sheet_refusals(sheet):
                sampler.draw(first_picture(pictures), clip).save(sheet_part, format="PNG")
    return done
