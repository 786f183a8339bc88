"""Training samples and test clips of drawn faces. Every one is a function of its seed and its number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...core.types import Motion
from .draw import Painting, paint
from .identity import Identity
from .landmarks import landmarks
from .pose import Pose

TEST_SEEDS = 2**31  # from here on: never drawn in training


@dataclass(frozen=True)
class Sample:
    """N pictures, and B pairs of them that show one identity each: the numbers of source and driving picture."""

    pictures: Tensor  # (N, 3, H, W) in [0, 1]
    details: Tensor  # (N, 1, H, W) in [0, 1]: where eyes and mouths are
    source: Tensor  # (B,)
    driving: Tensor  # (B,)
    truth: Motion | None = None  # the keypoints of the N faces, if known
    parts: Tensor | None = None  # (N, 2, H, W) in [0, 1]: where heads and bodies are seen, if known


def training_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one training step; no state needs to be kept for resuming."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % TEST_SEEDS)


def training_sample(generator: torch.Generator, looks: int, size: int, device: torch.device) -> Sample:
    """`looks` identities in two poses, each pose once the source and once the driving: N = B = 2 looks.

    The poses lie a quarter to the whole of the way between unrelated ones apart, as those of one clip do.
    """
    look = Identity.sample(looks, generator).repeat(2).to(device)
    first, other = Pose.sample(looks, generator), Pose.sample(looks, generator)
    nearby = first.towards(other, 0.25 + 0.75 * torch.rand(looks, generator=generator))
    pose = first.beside(nearby).to(device)
    painting = paint(look, pose, size)
    numbers = torch.arange(2 * looks, device=device)
    truth = landmarks(look, pose)
    return Sample(painting.pictures, painting.details, numbers, numbers ^ 1, truth, painting.parts)


@dataclass(frozen=True)
class HeldOutClip:
    """Motion, and two unseen identities that are drawn in it."""

    look: Identity  # one entry
    other: Identity  # one entry
    pose: Pose  # one entry per frame

    def every(self, gap: int) -> HeldOutClip:
        """Every gap-th frame alone."""
        return replace(self, pose=self.pose[::gap])

    def paint(self, look: Identity, size: int) -> Painting:
        """One of the identities in every pose: T pictures."""
        return paint(look.repeat(len(self.pose.x)), self.pose, size)


def held_out_clip(number: int, frames: int) -> HeldOutClip:
    """The clip of that number; the same for ever."""
    generator = torch.Generator().manual_seed(TEST_SEEDS + number)
    looks = Identity.sample(2, generator)
    return HeldOutClip(looks[:1], looks[1:], Pose.walk(1, frames, generator))
