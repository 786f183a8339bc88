"""Results of earlier runs: which files a job writes, and whether they are there and whole."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path

from ..animation.media.container import open_media, video_stream
from ..animation.media.picture_sequence import numbered_name
from ..animation.media.reader import VideoClip, read_picture
from ..animation.media.webp_clip import WebpClip
from ..animation.motion.track import MotionTrack
from ..animation.moving import result_frames
from ..animation.video import NUMBERED_SUFFIX, at_own_speed, open_source
from ..core.errors import FirstOrderError
from .controls import open_drivers
from .run import read_options

WEBP = ".webp"
SLACK = 0.2  # seconds; the last packet of sound may reach beyond the pictures


def places_of(args: argparse.Namespace) -> list[Path]:
    """List the files that a job writes, where links lead; one name stands for numbered pictures."""
    numbered = [path.with_name(numbered_name(path)) if _is_numbered(path) else path for path in _films(args)]
    return [Path(os.path.realpath(path)) for path in (*numbered, args.sheet, args.save_motion) if path is not None]


def is_finished(args: argparse.Namespace) -> bool:
    """Tell whether all files of a job are there and whole.

    What this program writes is whole or not there at all; but files are copied, and disks fill up.
    """
    try:
        if args.sheet is not None:
            read_picture(args.sheet)
        if args.save_motion is not None:
            MotionTrack.load(args.save_motion)
        return all(_is_whole(path, args) for path in _films(args))
    except (FirstOrderError, OSError):  # it is not there, or cut short
        return False


def _films(args: argparse.Namespace) -> list[Path]:
    return [path for path in (args.output, args.inspect) if path is not None]


def _is_numbered(path: Path) -> bool:
    return path.suffix.lower() == NUMBERED_SUFFIX


def _is_whole(path: Path, args: argparse.Namespace) -> bool:
    """Tell whether a film is complete. Raises FirstOrderError where it cannot be read at all."""
    if _is_numbered(path):
        return _has_all_pictures(path, args)
    clip = WebpClip(path) if path.suffix.lower() == WEBP else VideoClip(path)
    clip.frame(len(clip) - 1)
    return not isinstance(clip, VideoClip) or _keeps_its_promise(clip)


def _keeps_its_promise(clip: VideoClip) -> bool:
    """Tell whether a video has the frames that its head counts, or else lasts as long as that says."""
    with contextlib.closing(open_media(clip.path)) as container:
        frames, micros = video_stream(container, clip.path).frames, container.duration or 0
    lasts = clip.times.end(len(clip) - 1) * clip.times.tick
    return len(clip) >= frames if frames else lasts + SLACK >= micros / 1_000_000


def _has_all_pictures(path: Path, args: argparse.Namespace) -> bool:
    """Tell whether there are as many numbered pictures as the clip has frames, and the last can be read."""
    source, clip = open_source([args.source, *(args.more_sources or ())]), open_drivers(args)[0]
    count = result_frames(source, clip, at_own_speed(read_options(args), source, clip).moving)
    pattern = numbered_name(path)
    with contextlib.suppress(FileNotFoundError):
        if all(path.with_name(pattern % number).stat().st_size for number in range(1, count + 1)):
            read_picture(path.with_name(pattern % count))
            return True
    return False
