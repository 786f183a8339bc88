"""The sample pictures and driving clip that ship with the pack: drawn, and never seen in training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..media.writer import VideoWriter
from .drawn import Look, Pose, draw
from .drawn.pairs import TEST_SEEDS
from .preview import save_picture

SAMPLE_SEEDS = TEST_SEEDS + 2**30  # apart from the clips that evaluation uses
FPS = 24


def sample_look(number: int) -> Look:
    """The identity of that number, one entry."""
    return Look.sample(1, torch.Generator().manual_seed(SAMPLE_SEEDS + number))


def resting(count: int) -> Pose:
    """A head in the middle, looking at us, eyes open and mouth closed."""
    zero, one = torch.zeros(count), torch.ones(count)
    return Pose(
        x=zero, y=zero + 0.05, scale=one, tilt=zero, yaw=zero, pitch=zero, mouth=zero, smile=zero + 0.4,
        left=one * 0.9, right=one * 0.9, gaze_x=zero, gaze_y=zero, brow=zero,
    )  # fmt: skip


def from_rest(pose: Pose, frames: int = FPS // 2) -> Pose:
    """The same motion, eased out of the resting pose over the first frames."""
    count = len(pose.x)
    ease = (torch.arange(count) / frames).clamp(max=1)
    ease = ease * ease * (3 - 2 * ease)
    rest = vars(resting(count))
    return Pose(**{name: rest[name] + ease * (value - rest[name]) for name, value in vars(pose).items()})


def sample_clip(number: int, seconds: float, size: int) -> Tensor:
    """(T, 3, size, size): the identity of that number moving, from rest."""
    generator = torch.Generator().manual_seed(SAMPLE_SEEDS + number + 2**16)
    pose = from_rest(Pose.walk(1, round(seconds * FPS), generator))
    return draw(sample_look(number).repeat(len(pose.x)), pose, size)


def write_samples(folder: Path, sources: dict[str, int], driving: int, size: int, seconds: float = 4.0) -> None:
    """Write `NAME.png` for every source, its number given by name, and `driving.mp4`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, number in sources.items():
        save_picture(folder / f"{name}.png", draw(sample_look(number), resting(1), size)[0])
    with VideoWriter(folder / "driving.mp4", FPS, crf=12) as writer:
        writer.write(sample_clip(driving, seconds, size))
