"""Data set of videos in the published layouts: pairs of frames to train with, whole videos to test with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...core.errors import FirstOrderError, InputError, MediaError
from ...core.output_path import shown
from ..draws import generator_for, whole
from .augmentation import Augment, AugmentationParams
from .batch import PairItem
from .frame_reader import MEMORY, FrameReader
from .layout import TRAIN, by_identity, split_videos

log = logging.getLogger(__name__)

MOST_TRIES: Final = 64  # videos that are tried for one sample
PURPOSE: Final = 1  # of the randomness: other uses of a sample's number have others


@dataclass(frozen=True, slots=True)
class DatasetParams:
    """Place and form of a data set, with the names of published configurations.

    `frame_shape` is (height, width, channels), with 3 channels; None takes the size of the first video. With
    `id_sampling` a sample is drawn of an identity, which may have many videos (`identity#video#start#end.mp4`).
    `pairs_list` and `name` are there because published configurations have them; nothing here uses them.
    """

    root_dir: Path
    frame_shape: tuple[int, int, int] | None = (256, 256, 3)
    id_sampling: bool = False
    augmentation_params: AugmentationParams = field(default_factory=AugmentationParams)
    pairs_list: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        shape = self.frame_shape
        if shape is not None and (len(shape) != 3 or min(shape) < 1 or shape[2] != 3):
            raise InputError(f"is {list(shape)}; [height, width, 3] was wanted. Change it.", "frame_shape")


class TestVideo:
    """Whole video to test with: a `Clip` of uint8 frames (B, H, W, 3), all of the data set's size, with its name."""

    __test__ = False  # pytest takes it for a test by its name

    def __init__(self, path: Path, size: tuple[int, int] | None, count: int) -> None:
        self.name, self._path, self._size, self._count = path.name, path, size, count

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Tensor:
        """Read one frame as (1, H, W, 3)."""
        with FrameReader(self._size) as reader:
            return reader.read(self._path, [index])[0].movedim(0, -1)[None]

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time; the last chunk may be shorter."""
        batch: list[Tensor] = []
        for frame in FrameReader(self._size).all(self._path):
            batch.append(frame.movedim(0, -1))
            if len(batch) == size:
                yield torch.stack(batch)
                batch.clear()
        if batch:
            yield torch.stack(batch)


class FramesDataset(Dataset[PairItem]):
    """Data set by number and draw: `dataset[index, draw]` are two frames of video, or identity, `index`.

    `draw` is the number of the sample since the beginning of a run. All that is random about it comes from the seed and
    that number: neither worker processes nor a run that is resumed change a sample. Of two frames, drawn with
    replacement, the earlier is the source. Where a video is broken, that is said once, by its name, and another takes
    its place. Raises MediaError where there are no videos, and where one after another is broken.
    """

    def __init__(self, params: DatasetParams, split: str = TRAIN, seed: int = 0, memory: int = MEMORY) -> None:
        self.params, self.split, self.seed = params, split, seed
        videos = split_videos(params.root_dir, split)
        sampled = params.id_sampling and split == TRAIN
        self.groups = by_identity(videos) if sampled else [[video] for video in videos]
        self._augment = Augment(params.augmentation_params)
        self._memory, self._refused = memory, set[Path]()

    def __len__(self) -> int:
        """Count the videos, or with `id_sampling` the identities."""
        return len(self.groups)

    def __getitem__(self, key: tuple[int, int]) -> PairItem:
        index, draw = key
        for attempt in range(MOST_TRIES):
            generator = generator_for(self.seed, PURPOSE, draw, attempt)
            group = self.groups[whole(generator, len(self)) if attempt else index]
            video = group[whole(generator, len(group))]
            try:
                frames = self._two_frames(video, generator)
            except (FirstOrderError, OSError) as error:
                self._refuse(video, error)
                continue
            return PairItem(*self._augment(frames[0] / 255, frames[1] / 255, generator), draw)
        raise MediaError(
            f"{MOST_TRIES} videos of {shown(self.params.root_dir)} in turn are broken; whole ones were wanted. "
            "Look at the messages before this one."
        )

    def test_videos(self) -> Iterator[TestVideo]:
        """Yield the videos of this split whole, by name, without those that are broken."""
        for group in self.groups:
            for video in group:
                try:
                    count = self.reader.count(video)
                    self.reader.read(video, [0])
                except (FirstOrderError, OSError) as error:
                    self._refuse(video, error)
                    continue
                yield TestVideo(video, self.reader.size, count)

    @cached_property
    def reader(self) -> FrameReader:
        """Reader of frames at the size of this data set."""
        return FrameReader(self._size(), self._memory)

    def _size(self) -> tuple[int, int] | None:
        if self.params.frame_shape is not None:
            return self.params.frame_shape[:2]
        plain = FrameReader(None)
        for group in self.groups:
            try:
                height, width = plain.read(group[0], [0])[0].shape[1:]
            except (FirstOrderError, OSError) as error:
                self._refuse(group[0], error)
                continue
            return height, width
        raise MediaError(f"{shown(self.params.root_dir)} has no video that can be read; one was wanted. Export anew.")

    def _two_frames(self, video: Path, generator: torch.Generator) -> list[Tensor]:
        first, second = sorted(whole(generator, self.reader.count(video)) for _ in range(2))
        return self.reader.read(video, [first, second])

    def _refuse(self, video: Path, error: Exception) -> None:
        if video not in self._refused:
            self._refused.add(video)
            log.warning("%s is skipped: %s", video.name, error)


def videos_to_test(source: Path, split: str, side: int) -> Iterator[TestVideo]:
    """Yield the whole videos of a data set's split, or one video that is a file, in frames of `side` pixels."""
    if source.is_file():
        yield TestVideo(source, (side, side), FrameReader((side, side)).count(source))
        return
    yield from FramesDataset(DatasetParams(source, (side, side, 3)), split).test_videos()
