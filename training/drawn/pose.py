"""Pose of a drawn face: all that moves from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .batch import Batch

RANGES = {
    "x": (-0.24, 0.24),
    "y": (-0.16, 0.2),
    "scale": (0.85, 1.28),
    "tilt": (-0.42, 0.42),
    "yaw": (-0.62, 0.62),
    "pitch": (-0.35, 0.35),
    "mouth": (0.0, 1.0),
    "smile": (-0.6, 1.0),
    "left": (0.0, 1.0),
    "right": (0.0, 1.0),
    "gaze_x": (-1.0, 1.0),
    "gaze_y": (-0.8, 0.8),
    "brow": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Pose(Batch):
    """Poses, one per entry, every field (B,). Lengths are in half picture sides, angles in radians."""

    x: Tensor  # where the head is, from the centre of the picture
    y: Tensor
    scale: Tensor
    tilt: Tensor  # clockwise
    yaw: Tensor  # > 0 turns to the right of the picture
    pitch: Tensor  # > 0 looks down
    mouth: Tensor  # 0 closed .. 1 open
    smile: Tensor  # -1 sad .. 1 merry
    left: Tensor  # opening of the eye on the left of the picture: 0 closed .. 1 open
    right: Tensor
    gaze_x: Tensor
    gaze_y: Tensor
    brow: Tensor  # -1 low .. 1 high

    @classmethod
    def sample(cls, count: int, generator: torch.Generator) -> Pose:
        """Draw `count` unrelated poses: mouths often closed, eyes mostly open, both eyes mostly alike."""
        unit = torch.rand(len(RANGES), count, generator=generator)
        flags = torch.rand(3, count, generator=generator)
        return cls.from_unit(unit, shut=flags[0] < 0.2, wink=flags[1] < 0.1, mute=flags[2] < 0.25)

    @classmethod
    def from_unit(cls, unit: Tensor, shut: Tensor, wink: Tensor, mute: Tensor) -> Pose:
        """Scale `unit` (fields, B) from [0, 1] to the ranges, then close eyes and mouths where flagged."""
        values = {name: low + (high - low) * row for row, (name, (low, high)) in zip(unit, RANGES.items(), strict=True)}
        eyes = torch.where(shut, 0.3 * values["left"], 0.6 + 0.4 * values["left"])
        values["right"] = torch.where(wink, 0.15 * values["right"], eyes)
        values["left"] = eyes
        values["mouth"] = torch.where(mute, torch.zeros_like(eyes), values["mouth"])
        return cls(**values)

    def towards(self, other: Pose, share: Tensor) -> Pose:
        """Move poses by `share` (B,) of the way to other ones."""
        return Pose(**{name: torch.lerp(value, getattr(other, name), share) for name, value in as_dict(self).items()})

    def beside(self, other: Pose) -> Pose:
        """Interleave with other poses: every pose, followed by its counterpart (2B,)."""
        pairs = {name: torch.stack([value, getattr(other, name)], dim=1) for name, value in as_dict(self).items()}
        return Pose(**{name: pair.flatten() for name, pair in pairs.items()})

    @classmethod
    def walk(cls, clips: int, frames: int, generator: torch.Generator) -> Pose:
        """Draw smooth random motion: poses of `clips` clips of `frames` frames, clip after clip (clips * frames,).

        Every parameter is a sum of three sines, eyes blink now and then; 24 frames are about a second.
        """
        shape = (3, len(RANGES), clips, 1)
        rate = torch.tensor([0.35, 0.8, 1.7]).view(3, 1, 1, 1) * (0.7 + 0.6 * torch.rand(shape, generator=generator))
        rate[:, 6:8] *= 2.0  # mouths are quicker than heads
        phase = 6.2832 * torch.rand(shape, generator=generator)
        gain = torch.tensor([0.5, 0.35, 0.15]).view(3, 1, 1, 1)
        time = torch.arange(frames) / 24
        wave = (gain * torch.sin(6.2832 * rate * time + phase)).sum(0)  # (fields, clips, frames)
        centre = 0.35 + 0.3 * torch.rand(len(RANGES), clips, 1, generator=generator)
        unit = (centre + 0.6 * wave).clamp(0, 1).flatten(1)
        never = torch.zeros(clips * frames, dtype=torch.bool)
        pose = cls.from_unit(unit, shut=never, wink=never, mute=never)
        lids = blinks(clips, frames, generator).flatten()
        return Pose(**{**as_dict(pose), "left": pose.left * lids, "right": pose.right * lids})


def blinks(clips: int, frames: int, generator: torch.Generator) -> Tensor:
    """Draw a factor (clips, frames) on the eye opening: 1, falling to 0 for a blink every two seconds or so."""
    period = 36 + 30 * torch.rand(clips, 1, generator=generator)
    start = period * torch.rand(clips, 1, generator=generator)
    since = (torch.arange(frames) - start).remainder(period) - 5
    return ((since.abs() - 1) / 3).clamp(0, 1)


def as_dict(pose: Pose) -> dict[str, Tensor]:
    """Fields of a pose by name."""
    return {item.name: getattr(pose, item.name) for item in fields(pose)}
