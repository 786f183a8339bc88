"""Preparation of a data set: videos cut to squares, of faces where wanted, resized, divided, and written as frames."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...animation.faces.clips import follow_faces, squares_for
from ...animation.faces.face import FaceFinder
from ...animation.faces.square import DEFAULT_RATIO, Square, cut
from ...animation.faces.track import Track
from ...animation.framing import choose_tracks
from ...animation.media.clip import FileClip
from ...animation.media.frame_times import FrameTimes
from ...animation.media.open_clip import open_clip
from ...animation.media.writer import VideoWriter
from ...animation.motion.clips import CountedClip
from ...core.atomic_file import atomic_folder
from ...core.errors import FirstOrderError, InputError, MediaError, quote, shorten
from ...core.output_path import check_folder, shown
from ...core.types import Clip
from ...core.unfinished import make_folder
from .frame_reader import FrameReader
from .layout import BETWEEN, SPLITS, TEST, TEST_SHARE, TRAIN, VIDEOS, by_identity, list_videos, random_split
from .preparation_report import PreparationReport, Written

log = logging.getLogger(__name__)

FRAMES_AT_ONCE = 8
PNG, MP4 = FORMATS = ("png", "mp4")
VIDEO, TIME = SPLIT_BY = ("video", "time")
QUICK_PNG: Final = 1  # level of compression: a tenth larger than the default, and twice as fast
CRF, KEYFRAMES = 10, 1  # of mp4: every frame is found at once
LEAST_FRAMES: Final = 8
SHOWN_NAME: Final = 24  # characters of a video's name beside the bar
_FACES: Final = re.compile(r"\s*(?:all|largest|\d{1,9}(?:\s*,\s*\d{1,9})*)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """Choices for a preparation; raises InputError for those out of bounds.

    `size` is the side of the frames in pixels. `faces` is None for the middle of every frame, else which lasting faces
    are cut out, each as a clip of its own: "largest", "all" or numbers from left to right; `ratio` is the margin
    around them, and with `smooth_crop` the cut follows the head, instead of one square for the whole clip. `fps` leaves
    out frames, so that at most so many are left of a second. `split_by` "video" divides videos, all of one identity
    together, "time" takes the last part of each for the test; None is "time" for a single video. `form` is that of
    FORMATS in which frames are written. Clips of fewer than `least_frames` frames are skipped.
    """

    size: int = 256
    faces: str | None = None
    ratio: float = DEFAULT_RATIO
    smooth_crop: bool = False
    fps: float | None = None
    test_share: float = TEST_SHARE
    split_by: str | None = None
    form: str = PNG
    least_frames: int = LEAST_FRAMES

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 4096 or self.size % 2:
            raise InputError(f"is {self.size}; an even number from 16 to 4096 was wanted. 256 suits most.", "size")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise InputError(f"is {self.fps:g}; more than 0 was wanted. Leave it out to keep every frame.", "fps")
        if not 0 < self.test_share < 1:
            raise InputError(f"is {self.test_share:g}; more than 0 and less than 1 was wanted.", "test_share")
        if not 0 <= self.ratio <= 4:
            raise InputError(f"is {self.ratio:g}; 0 to 4 was wanted. {DEFAULT_RATIO} suits most faces.", "ratio")
        if self.faces is not None and not _FACES.fullmatch(self.faces):
            raise InputError(f"is {quote(self.faces)}; all, largest or numbers such as 0,2 were wanted.", "faces")
        if self.least_frames < 2:
            raise InputError(f"is {self.least_frames}; 2 or more was wanted: samples are pairs.", "least_frames")


@dataclass(frozen=True, slots=True)
class Take:
    """Part of a video that becomes a clip: the frames that are kept, and for each of the video's frames its square."""

    name: str
    frames: Sequence[int]
    squares: Sequence[Square]


def prepare(
    source: Path,
    folder: Path,
    options: PrepareOptions,
    finder: FaceFinder,
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> PreparationReport:
    """Prepare a video, or all in a folder, into `folder`: `train/`, `test/` and a report, saved after every video.

    `progress` is called with the videos done and in total, and with how far the present one is. What was written
    before, with the same options, is not made again. A folder of pictures alone is one video; one with `train/` and
    `test/` keeps its division. Raises MediaError where there is no video.
    """
    if source.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise InputError(f"is {shown(folder)}, among the videos themselves. Choose one outside of it.", "folder")
    if any((folder / split).resolve() in (source.resolve(), *source.resolve().parents) for split in SPLITS):
        raise InputError(f"is {shown(folder)}, in which the videos themselves are. Choose another.", "folder")
    splits = _listed(source)
    videos = [video for videos in splits.values() for video in videos]
    by_default = TIME if len(videos) == 1 else VIDEO
    options = replace(options, split_by=(options.split_by or by_default) if "" in splits else VIDEO)
    for place in (folder, *(folder / split for split in SPLITS)):
        check_folder(place)
    make_folder(folder)
    report = PreparationReport.go_on(folder, asdict(options))
    names = _names(videos)
    labels = {video: video.relative_to(source).as_posix() if video != source else video.name for video in videos}
    for video in videos:
        if (fault := _fault(video, options)) is not None:
            _skip(report, labels[video], fault)
    usable = [video for video in videos if labels[video] not in report.skipped]
    divided = _divided(usable, splits, options)
    for done, video in enumerate(usable):
        tell = partial(progress, done, len(usable))
        tell("")
        before = report.outputs_of(labels[video])
        if before and all((folder / output).exists() for output in before):
            continue
        report.written = [entry for entry in report.written if entry.video != labels[video]]
        try:
            written = _prepare_video(video, names[video], divided[video], folder, options, finder, tell)
            for output, frames, side in written:
                report.written.append(Written(labels[video], output, frames, side))
        except (MediaError, InputError) as error:
            _skip(report, labels[video], error)
        if report.written:
            report.save(folder)
    progress(len(usable), len(usable), "")
    if not report.written:
        raise MediaError(f"Nothing of {shown(source)} could be prepared: {next(iter(report.skipped.values()), '')}")
    report.save(folder)
    return report


def _skip(report: PreparationReport, video: str, error: Exception) -> None:
    report.skipped[video] = str(error)
    log.warning("%s is skipped: %s", video, error)


def _fault(video: Path, options: PrepareOptions) -> Exception | None:
    """Return the error of a video that cannot be opened or is too short; those are skipped before the division."""
    try:
        count = len(open_clip(video))
    except (MediaError, InputError) as error:
        return error
    return _too_short(video, count, options) if count < options.least_frames else None


def _too_short(video: Path, count: int, options: PrepareOptions) -> MediaError:
    return MediaError(f"{shown(video)} leaves {count} frames; {options.least_frames} were wanted.")


def _listed(source: Path) -> dict[str, list[Path]]:
    """List the videos of a source by the splits that it has, or all under "" where it has none."""
    if (source / TRAIN).is_dir():
        return {split: _videos(source / split) for split in SPLITS if (source / split).is_dir()}
    return {"": _videos(source)}


def _divided(videos: Sequence[Path], listed: Mapping[str, Sequence[Path]], options: PrepareOptions) -> dict[Path, str]:
    """Choose the split of each video: its own, or of a random division in which identities stay together."""
    if "" not in listed:
        return {video: split for split, found in listed.items() for video in found}
    if options.split_by == TIME:
        return dict.fromkeys(videos, TRAIN)
    tested = {video for group in random_split(by_identity(videos), options.test_share)[1] for video in group}
    return {video: TEST if video in tested else TRAIN for video in videos}


def _videos(source: Path) -> list[Path]:
    """List the videos in a folder; a file is one, and so is a folder of nothing but pictures."""
    if not source.exists():
        raise MediaError(f"{shown(source)} is not there; a video or a folder of videos was wanted. Check the path.")
    if source.is_file():
        return [source]
    found = list_videos(source)
    return [path for path in found if path.is_dir() or path.suffix.lower() in VIDEOS] or [source]


def _names(videos: Sequence[Path]) -> dict[Path, str]:
    """Name what becomes of each video, by the whole name of its file where others differ from it only in the suffix.

    Where another has that name too, on systems that ignore case, a number is added.
    """
    stems = [video.stem.casefold() for video in videos]
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for video, stem in zip(videos, stems, strict=True):
        own = name = video.name if stems.count(stem) > 1 else video.stem
        number = 2
        while name.casefold() in taken:
            name, number = f"{own}-{number}", number + 1
        taken.add(name.casefold())
        names[video] = name
    return names


def _prepare_video(
    video: Path,
    name: str,
    split: str,
    folder: Path,
    options: PrepareOptions,
    finder: FaceFinder,
    tell: Callable[[str], None],
) -> Iterator[tuple[str, int, int]]:
    """Write the clips that a video gives; yield the place, the frames and the side of the cut of each."""
    clip, label = open_clip(video), shorten(name, SHOWN_NAME)

    def counted(work: str) -> CountedClip:
        return CountedClip(clip, lambda done, count: tell(f"{label}, {work}: {done}/{count} frames"))

    for take in _takes(clip, counted("finding faces"), name, options, finder):
        if len(take.frames) < options.least_frames:
            raise _too_short(video, len(take.frames), options)
        tested = 0
        if options.split_by == TIME:  # two are left to train with: samples are pairs
            tested = min(max(1, round(len(take.frames) * options.test_share)), len(take.frames) - 2)
        parts = [(TRAIN if tested else split, take.frames[: len(take.frames) - tested])]
        parts += [(TEST, take.frames[len(take.frames) - tested :])] if tested else []
        pictures = _pictures(counted("writing"), take, options.size)
        side = round(max(square.side for square in take.squares))
        if side < options.size:
            log.warning("%s: %s is a cut of %d pixels, enlarged to %d. A smaller size would lose nothing.",
                shown(video), take.name, side, options.size)  # fmt: skip
        for part, frames in parts:
            output = f"{part}/{take.name}.mp4"
            make_folder(folder / part)
            written = _write(folder / output, islice(pictures, len(frames)), options, clip)
            yield output, written, side


def _takes(clip: FileClip, counted: Clip, name: str, options: PrepareOptions, finder: FaceFinder) -> list[Take]:
    """Choose what of a clip becomes clips of the data set; raises MediaError where no face is found.

    `counted` is the clip too, in which faces are looked for.
    """
    count, rate = len(clip), float(clip.fps)
    if options.faces is None:
        height, width = clip.frame(0).shape[1:3]
        middle = Square(width / 2, height / 2, float(min(height, width))).aligned()
        return [Take(name, _kept(clip.times, range(count), options.fps), [middle] * count)]
    tracks = choose_tracks(follow_faces(counted, finder, rate), options.faces)
    if not tracks:
        raise MediaError(f"{shown(clip.path)} shows no face that {finder.name} finds.")
    names = [name] if len(tracks) == 1 else [_numbered(name, number) for number in range(len(tracks))]
    return [_take(clip, track, own, options) for track, own in zip(tracks, names, strict=True)]


def _take(clip: FileClip, track: Track, name: str, options: PrepareOptions) -> Take:
    """Take the part of a clip that shows a face, cut out."""
    squares = squares_for(track, len(clip), float(clip.fps), options.ratio, options.smooth_crop)
    shown_in = range(track.first, min(track.last + 1, len(clip)))
    if len(shown_in) < len(clip):
        log.info("%s: the face of %s shows in %d of %d frames; the others are left out.",
            shown(clip.path), name, len(shown_in), len(clip))  # fmt: skip
    return Take(name, _kept(clip.times, shown_in, options.fps), squares)


def _numbered(name: str, number: int) -> str:
    """Put a number behind the identity in a name, so that two faces of one video are two identities."""
    identity, between, rest = name.partition(BETWEEN)
    return f"{identity}-{number}{between}{rest}"


def _kept(times: FrameTimes, frames: range, fps: float | None) -> list[int]:
    """List those of a clip's frames that show at every 1/fps of a second, or all."""
    if fps is None or times.rate <= fps or not frames:
        return [*frames]
    starts = np.array([times.start(index) for index in frames], np.float64) * float(times.tick)
    moments = np.arange(starts[0], starts[-1] + 1e-9, 1 / fps)
    places = np.unique(np.searchsorted(starts, moments + 1e-9, side="right") - 1)
    return [frames[place] for place in places.tolist()]


def _pictures(clip: Clip, take: Take, size: int) -> Iterator[Tensor]:
    """Yield the frames of a take in order, cut out: uint8 (3, size, size)."""
    wanted = set(take.frames)
    frames = (frame for chunk in clip.chunks(FRAMES_AT_ONCE) for frame in chunk)
    for index, frame in enumerate(frames):
        if index in wanted:
            picture = cut(frame.movedim(-1, 0)[None], take.squares[index], size)[0]
            yield picture.round_().clamp_(0, 255).to(torch.uint8)


def _write(path: Path, pictures: Iterator[Tensor], options: PrepareOptions, clip: FileClip) -> int:
    """Write frames as a folder of pictures or as a video without sound, unless it is there; return their number."""
    if path.exists():
        return _check_written(path, sum(1 for _ in pictures), options)
    with _writer(path, options, clip) as write:
        count = 0
        for picture in pictures:
            write(picture)
            count += 1
        if count == 0:
            raise MediaError(f"{shown(clip.path)} ends before its frames for {shown(path)} come. Export it anew.")
    return count


def _check_written(path: Path, wanted: int, options: PrepareOptions) -> int:
    """Return the frames of what is there already; MediaError where that is not what would be written."""
    try:
        found = FrameReader((options.size, options.size)).count(path) if path.is_dir() == (options.form == PNG) else 0
    except (FirstOrderError, OSError):
        found = 0
    if found != wanted:
        raise MediaError(f"{shown(path)} is there, and is not the clip that was to be written. Move it away.")
    return found


@contextmanager
def _writer(path: Path, options: PrepareOptions, clip: FileClip) -> Generator[Callable[[Tensor], None]]:
    """Open what takes the frames, (3, H, W), one after another; `path` appears when the block ends well."""
    if options.form == MP4:
        rate = clip.fps if options.fps is None else min(float(clip.fps), options.fps)
        with VideoWriter(path, rate, crf=CRF, keyframes=KEYFRAMES) as video:
            yield lambda picture: video.write(picture[None])
        return
    with atomic_folder(path) as part:
        numbers = iter(range(10**7))

        def save(picture: Tensor) -> None:
            image = Image.fromarray(picture.movedim(0, -1).numpy())
            image.save(part / f"{next(numbers):07d}.png", compress_level=QUICK_PNG)

        yield save
