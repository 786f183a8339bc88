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
    """Pictures (N of them), and B pairs of those that show one identity each, by their numbers."""

    pictures: Tensor  # (N, 3, H, W) in [0, 1]
    details: Tensor  # (N, 1, H, W) in [0, 1]: where eyes and mouths are
    source: Tensor  # (B,)
    driving: Tensor  # (B,)
    truth: Motion | None = None  # the keypoints of the N faces, if known
    parts: Tensor | None = None  # (N, 2, H, W) in [0, 1]: where heads and bodies are seen, if known


def training_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers of one training step; no state needs to be kept for resuming."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % TEST_SEEDS)


def training_sample(generator: torch.Generator, identities: int, size: int, device: torch.device) -> Sample:
    """Draw so many identities in two poses, each pose once the source and once the driving: N = B = 2 identities.

    The poses lie a quarter to the whole of the way between unrelated ones apart, as those of one clip do.
    """
    identity = Identity.sample(identities, generator).repeat(2).to(device)
    first, other = Pose.sample(identities, generator), Pose.sample(identities, generator)
    nearby = first.towards(other, 0.25 + 0.75 * torch.rand(identities, generator=generator))
    pose = first.beside(nearby).to(device)
    painting = paint(identity, pose, size)
    numbers = torch.arange(2 * identities, device=device)
    truth = landmarks(identity, pose)
    return Sample(painting.pictures, painting.details, numbers, numbers ^ 1, truth, painting.parts)


@dataclass(frozen=True)
class HeldOutClip:
    """Motion, and two unseen identities that are drawn in it."""

    identity: Identity  # one entry
    other: Identity  # one entry
    pose: Pose  # one entry per frame

    def every(self, gap: int) -> HeldOutClip:
        """Keep every gap-th frame alone."""
        return replace(self, pose=self.pose[::gap])

    def paint(self, identity: Identity, size: int) -> Painting:
        """Draw one of the identities in every pose: T pictures."""
        return paint(identity.repeat(len(self.pose.x)), self.pose, size)


def held_out_clip(number: int, frames: int) -> HeldOutClip:
    """Draw the test clip of a number; a number always means the same clip."""
    generator = torch.Generator().manual_seed(TEST_SEEDS + number)
    identities = Identity.sample(2, generator)
    return HeldOutClip(identities[:1], identities[1:], Pose.walk(1, frames, generator))
