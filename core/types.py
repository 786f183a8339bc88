"""The values that travel between the driver and an architecture.

Pictures are float tensors (B, 3, H, W), RGB, in [0, 1]. Points are (x, y), x to the right, y down, and
[-1, 1] spans the picture from the centre of its first to the centre of its last pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Motion:
    """What a model sees of a pose, for a batch of pictures.

    `points` (B, K, 2) are keypoints, shifts or control points; `frames` (B, K, 2, 2) their local linear
    maps (jacobians or affines), or None; `extra` rides along untouched by retargeting.
    """

    points: Tensor
    frames: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __len__(self) -> int:
        return self.points.shape[0]


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that depends on the source alone: its own motion, and whatever `render` needs of it."""

    motion: Motion
    features: Mapping[str, Tensor]


# Activations of the widest layers, per pixel of a frame: on the safe side for the networks that say nothing else.
PIXEL_BYTES = 4 * 64 * 12


@dataclass(frozen=True, slots=True)
class AnimatorSpec:
    """Facts about a loaded model, as data, so that the driver needs no special cases.

    `size` is the side in pixels the weights were trained at, `multiple` what both sides must divide by,
    `modes` the retargeting modes it offers (the first is its default), `has_frames` whether its motion
    carries local linear maps, `has_background` whether it can move the background (`BackgroundAnimator`),
    `fixed_size` whether it can work at no size but its own, `several_sources` whether it makes use of more than one
    picture of the source. `pixel_bytes` is about what rendering a frame takes for each of its pixels, `query_bytes`
    what a `PixelAnimator` takes for one that is decoded; 0 for the others. `exact` names submodules that never run in
    less than float32.
    """

    name: str
    size: int
    multiple: int
    modes: tuple[str, ...]
    has_frames: bool
    has_background: bool = False
    fixed_size: bool = False
    several_sources: bool = False
    pixel_bytes: int = PIXEL_BYTES
    query_bytes: int = 0
    exact: tuple[str, ...] = ()


class Animator(Protocol):
    """What every architecture implements (as a `torch.nn.Module`); the driver needs nothing else."""

    @property
    def spec(self) -> AnimatorSpec: ...

    @property
    def config(self) -> object:
        """The dataclass the networks were built from."""
        ...

    def to(self, device: torch.device) -> Self: ...

    def prepare(self, source: Tensor) -> Prepared:
        """Encode the source picture (1, 3, H, W), or all of them with `several_sources`; done once per clip."""
        ...

    def motion(self, driving: Tensor) -> Motion:
        """The motion of driving frames (B, 3, H, W)."""
        ...

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """The source in the given poses: (B, 3, H, W) in [0, 1]."""
        ...


class AVDAnimator(Animator, Protocol):
    """An Animator that offers "avd" in `spec.modes`: animation via disentanglement, by a network of its own."""

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        """Driving poses (B) in the source's own shape: (B)."""
        ...


@dataclass(frozen=True, slots=True)
class Mapped:
    """A batch of finished pictures (B, 3, H, W), and by name the maps (1 or B, C, h, w) that were made on the way."""

    pictures: Tensor
    maps: Mapping[str, Tensor]


class MappingAnimator(Animator, Protocol):
    """An Animator whose users also want to see what it saw: segments, masks."""

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """What `render` gives, and the maps behind it."""
        ...


class BackgroundAnimator(Animator, Protocol):
    """An Animator with `spec.has_background`: a network of its own sees how the camera moves."""

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        """Driving poses (B), and how the background of each differs from the source's: (B)."""
        ...


@runtime_checkable
class PixelAnimator(Protocol):
    """An Animator whose pixels do not depend on each other, so that any choice of them can be made."""

    def decode(self, prepared: Prepared, motion: Motion, queries: Tensor) -> Tensor:
        """Colours (N, 3) in [0, 1] of N pixels of the pictures in B poses.

        `queries` (N) counts the pixels of all pictures, picture by picture and row by row.
        """
        ...


class Clip(Protocol):
    """A driving clip that can be read more than once: in memory, or decoded from a file as it is needed.

    Frames come as uint8 or float (B, H, W, C), exactly as they are stored; `animation.frames` checks and
    converts them.
    """

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def frame(self, index: int) -> Tensor:
        """One frame as (1, H, W, C)."""
        ...

    def chunks(self, size: int) -> Iterator[Tensor]:
        """All frames in order, `size` at a time; the last chunk may be shorter."""
        ...


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the tensors of a checkpoint cannot tell.

    `aligned_sampling`: sample as the PyTorch of the weights' own time did (corners aligned) instead of as
    the published code does today; None keeps what the file says, and the published form if it says nothing.
    `scale_factor`: how much pictures shrink before keypoints and motion are estimated; None for the file's.
    `variant`: which published file the weights are like, where neither their bytes nor their name tell.
    """

    aligned_sampling: bool | None = None
    scale_factor: float | None = None
    variant: str | None = None
