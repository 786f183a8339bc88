"""Layouts of data sets on disk: which files and folders are videos, which train and which test, and whose they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from ...core.errors import MediaError
from ...core.output_path import shown

Item = TypeVar("Item")

TRAIN, TEST = SPLITS = ("train", "test")
TEST_SHARE: Final = 0.2
SPLIT_SEED: Final = 0
BETWEEN: Final = "#"
"""Character between the identity and the rest of a name, as in `identity#video#start#end.mp4`."""
STRIPS: Final = (".png", ".jpg", ".jpeg")
VIDEOS: Final = (
    ".mp4", ".mov", ".gif", ".m4v", ".mkv", ".webm", ".avi", ".webp", ".apng", ".avif", ".mpg", ".mpeg", ".ts", ".wmv",
    ".flv", ".ogv",
)  # fmt: skip


def list_videos(folder: Path) -> list[Path]:
    """List the videos in a folder by name: files of videos, picture strips, and folders of frames.

    Hidden names and other files are left out. Raises MediaError for a folder that is not there.
    """
    if not folder.is_dir():
        raise MediaError(f"{shown(folder)} is no folder; one of videos was wanted. Check the path.")
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(path for path in found if path.is_dir() or path.suffix.lower() in (*VIDEOS, *STRIPS))


def split_videos(root: Path, split: str) -> list[Path]:
    """List the videos of a data set's split: of its folder `train` or `test`, or without these of a random division.

    Raises MediaError where there are none.
    """
    if (root / TRAIN).is_dir() or (root / split).is_dir():
        if not (root / split).is_dir():
            raise MediaError(f"{shown(root)} has {TRAIN}/ and no {split}/, which was wanted. Make it, with videos.")
        videos = list_videos(root / split)
    else:
        train, test = random_split(list_videos(root))
        videos = train if split == TRAIN else test
    if not videos:
        raise MediaError(f"{shown(root)} has 0 videos to {split} with; 1 or more was wanted. Check the path.")
    return videos


def random_split(videos: Sequence[Item], share: float = TEST_SHARE) -> tuple[list[Item], list[Item]]:
    """Divide videos, or groups of them, into those to train and those to test with.

    It is the division that scikit-learn makes with seed 0. The published code has it divide a listing in whatever order
    the disk gives; here it goes by name.
    """
    order = np.random.RandomState(SPLIT_SEED).permutation(len(videos)).tolist()
    tested = math.ceil(share * len(videos))
    return [videos[place] for place in order[tested:]], [videos[place] for place in order[:tested]]


def identity_of(video: Path) -> str:
    """Return the part of a video's name that says who is in it: all before the first `#`, or the name without one."""
    name, divided, _ = video.name.partition(BETWEEN)
    return name if divided else video.stem


def by_identity(videos: Sequence[Path]) -> list[list[Path]]:
    """Group videos by identity, which has to be the same to the letter: `id1` and `id10` are two."""
    groups: dict[str, list[Path]] = {}
    for video in videos:
        groups.setdefault(identity_of(video), []).append(video)
    return [groups[name] for name in sorted(groups)]
