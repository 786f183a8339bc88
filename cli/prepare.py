"""Command `prepare`: a folder of videos in, a data set to train with out."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.faces.detectors import load_face_finder
from ..animation.framing import FinderOnDemand
from ..core.output_path import check_folder, shown
from .faces import add_detection_options
from .progress import progress_bar

log = logging.getLogger(__name__)

LARGEST = "largest"


def add_prepare_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `prepare`."""
    command.add_argument("videos", type=Path, help="a folder of videos and of folders of frames, or one video")
    command.add_argument("folder", type=Path, help="where train/, test/ and report.json go; what is there is kept")
    command.add_argument("--size", type=int, default=256, help="side of the frames in pixels (default: 256)")
    command.add_argument(
        "--faces",
        nargs="?",
        const=LARGEST,
        help="cut faces out, each a clip of its own: all, largest, or numbers from left to right such as 0,2 "
        "(default when given: largest); else the middle of every frame is taken",
    )
    add_detection_options(command)
    command.add_argument("--smooth-crop", action="store_true", help="follow the head instead of one cut for a clip")
    command.add_argument("--fps", type=float, help="leave out frames beyond so many per second (default: none)")
    command.add_argument("--test-share", type=float, default=0.2, help="part that is kept to test with (default: 0.2)")
    command.add_argument(
        "--split-by",
        choices=("video", "time"),
        help="test with some of the videos, or with the last part of each (default: video, of a single one time)",
    )
    command.add_argument(
        "--format",
        choices=("png", "mp4"),
        default="png",
        help="folders of lossless pictures, or videos of an eighth of the size (default: png)",
    )
    command.add_argument("--least-frames", type=int, default=8, help="skip clips of fewer frames (default: 8)")
    command.set_defaults(command=prepare)


def prepare(args: argparse.Namespace) -> None:
    """Prepare the videos, and show what was written and what was skipped."""
    from ..training.data.prepare import PrepareOptions
    from ..training.data.prepare import prepare as prepare_videos

    options = PrepareOptions(
        size=args.size,
        faces=args.faces,
        ratio=args.ratio,
        smooth_crop=args.smooth_crop,
        fps=args.fps,
        test_share=args.test_share,
        split_by=args.split_by,
        form=args.format,
        least_frames=args.least_frames,
    )
    check_folder(args.folder)
    finder = FinderOnDemand(lambda: load_face_finder(args.detector))
    with logging_redirect_tqdm(), progress_bar("video", "preparing") as progress:
        report = prepare_videos(args.videos, args.folder, options, finder, progress)
    print(report.table())
    frames = sum(entry.frames for entry in report.written)
    log.info(
        "%s: %d clips of %d frames in all; videos skipped: %d.",
        shown(args.folder), len(report.written), frames, len(report.skipped),
    )  # fmt: skip
