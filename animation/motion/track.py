"""Motion of a whole clip, read once: animates pictures later without the clip, and is kept in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor
from typing_extensions import Self

from ...core.errors import InputError
from ...core.types import AnimatorSpec, Motion
from ..media.clip import TimedClip
from ..media.frame_rate import exact_rate
from ..media.frame_times import FrameTimes
from .identity import ModelIdentity
from .smoothing import pose_parts, with_parts
from .track_file import read_motion_file, write_motion_file

DRIVING = "driving"  # parameter, in error messages


class MotionTrack(TimedClip):
    """Poses of every frame of a clip, on the CPU, as one model reads them; drives wherever a clip does.

    `rate` is in frames per second, `size` the side in pixels at which the frames were read. It has what clips of files
    have but the pictures: asking for those raises InputError. `path` is the file it came from, for messages.
    """

    def __init__(
        self, motion: Motion, rate: float | Fraction, model: ModelIdentity, size: int, path: str | Path = "motion"
    ) -> None:
        self.motion, self.model, self.size, self.path = motion, model, size, Path(path)
        self.times = FrameTimes.even(exact_rate(rate), len(motion))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a motion file; raises MediaError, CheckpointError or InputError for what is none, NaN among it."""
        return cls(*read_motion_file(Path(path)), path)

    def save(self, path: str | Path) -> None:
        """Write a motion file (`.safetensors`), whole or not at all. Raises InputError or MediaError."""
        write_motion_file(Path(path), self.motion, self.fps, self.model, self.size)

    def frame(self, index: int) -> Tensor:
        """Refuse, as there are no pictures: InputError."""
        self._refuse_pictures()

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Refuse, as there are no pictures: InputError."""
        self._refuse_pictures()

    def _refuse_pictures(self) -> NoReturn:
        raise InputError(
            f"is {self.path}, movement without pictures; this needs pictures. Give the clip that it was read from.",
            DRIVING,
        )

    def poses(self, start: int, size: int, device: torch.device) -> Iterator[Motion]:
        """Yield the poses from `start` on, `size` at a time, on a device."""
        for first in range(start, len(self), size):
            yield to_device(self.motion[first : first + size], device)

    def pose(self, index: int, device: torch.device) -> Motion:
        """Return the pose of one frame, on a device."""
        return to_device(self.motion[index : index + 1], device)

    def in_order(self, order: Sequence[int], rate: float | Fraction | None = None) -> MotionTrack:
        """Return the track of these frames, in this order, at another rate if one is given."""
        motion = self.motion[torch.tensor(order, dtype=torch.long)]
        return MotionTrack(motion, self.fps if rate is None else rate, self.model, self.size, self.path)

    def refuse_other(self, model: ModelIdentity) -> None:
        """Raise InputError, which names both, where another model than the loaded one read the poses."""
        if self.model == model:
            return
        raise InputError(
            f"is {self.path}, movement that {self.model} read; {model} is loaded, to which it means nothing. "
            "Load those weights, or read the clip anew.",
            DRIVING,
        )

    def refuse_other_shape(self, own: Motion, spec: AnimatorSpec) -> None:
        """Raise InputError where the poses are not made as a model's own are, or are not all that it needs."""
        if spec.keeps_pose:
            raise InputError(
                f"is {self.path}, movement without pictures; {spec.name} draws into its driving frames. Give a clip.",
                DRIVING,
            )
        found, wanted = (
            {name: part.shape[1:] for name, part in pose_parts(motion, spec).items()} for motion in (self.motion, own)
        )
        if found != wanted:
            raise InputError(
                f"is {self.path}, with poses of another shape than {spec.name}'s: {_shapes(found)} instead of "
                f"{_shapes(wanted)}. Read the clip anew.",
                DRIVING,
            )


def _shapes(parts: dict[str, torch.Size]) -> str:
    return ", ".join(f"{name} {tuple(shape)}" for name, shape in parts.items())


def to_device(motion: Motion, device: torch.device) -> Motion:
    """Copy poses to a device."""
    jacobians = None if motion.jacobians is None else motion.jacobians.to(device)
    extra = {name: value.to(device) for name, value in motion.extra.items()}
    return Motion(motion.points.to(device), jacobians, extra)


def refuse_reading(spec: AnimatorSpec, frames: int) -> None:
    """Raise InputError where there are no frames to read, or where poses alone are nothing to a model."""
    if spec.keeps_pose:
        raise InputError(f"cannot be read; {spec.name} draws into its driving frames. Choose another model.", DRIVING)
    if frames == 0:
        raise InputError("has 0 frames; at least 1 is needed. Check the video loader's frame limits.", DRIVING)


def poses_alone(motion: Motion, spec: AnimatorSpec) -> Motion:
    """Leave out of a motion what does not describe the pose, such as the frames themselves, and copy it to the CPU."""
    parts = {name: part.float().cpu().clone() for name, part in pose_parts(motion, spec).items()}
    return with_parts(Motion(motion.points, None, {name: parts[name] for name in spec.pose_extras}), parts)
