"""Values that travel between the driver and an architecture.

Pictures are float tensors (B, 3, H, W), RGB, in [0, 1]. Points are (x, y), x to the right, y down, and
[-1, 1] spans the picture from the centre of its first to the centre of its last pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from .errors import InputError


@dataclass(frozen=True, slots=True)
class Motion:
    """Poses of a batch of pictures, as a model describes them.

    `points` (B, K, 2) are keypoints, shifts or control points; `jacobians` (B, K, 2, 2) their local linear maps
    (jacobians or affines), or None; `extra`, more tensors of B rows each, is untouched by retargeting.
    """

    points: Tensor
    jacobians: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __len__(self) -> int:
        return self.points.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Motion:
        """Select some of the poses: a slice of them, or those with the indices (N) of an integer tensor."""
        jacobians = None if self.jacobians is None else self.jacobians[rows]
        return Motion(self.points[rows], jacobians, {name: value[rows] for name, value in self.extra.items()})


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that depends on the source alone: its own motion, and whatever `render` needs of it."""

    motion: Motion
    features: Mapping[str, Tensor]


FLOW, OCCLUSION, MASK = "flow", "occlusion", "mask"  # names of maps; see `Mapped`

# Maps that are alive at once, per pixel of a frame: on the safe side for the networks that say nothing else.
PIXEL_BYTES = 4 * 64 * 12


@dataclass(frozen=True, slots=True)
class AnimatorSpec:
    """Facts about a loaded model, as data, so that the driver needs no special cases.

    `size` is the side in pixels the weights were trained at, `multiple` what both sides must divide by,
    `modes` the retargeting modes it offers (the first is its default), `has_background` whether it can move the
    background, `fixed_size` whether it can work at no size but its own, `several_sources` whether it makes use of
    more than one picture of the source, `has_flow` whether `render_mapped` returns a flow. `pixel_bytes` is about what
    rendering a frame takes for each of its pixels; `query_bytes` what one decoded pixel takes of a model that decodes
    pixels singly, 0 for the others. `keep_in_fp32` names submodules that never run in less than float32,
    `keep_in_tf32` those that never do in less than TensorFloat-32. `pose_extras`
    names what in a motion's `extra` describes the pose: vectors (B, N), or shapes (B, K, 2, 2). With `unsigned_frames`
    a linear map and its negative mean the same; with `keeps_pose` driving frames keep their own pose, so that nothing
    can change it.
    """

    name: str
    size: int
    multiple: int
    modes: tuple[str, ...]
    has_background: bool = False
    fixed_size: bool = False
    several_sources: bool = False
    has_flow: bool = False
    pixel_bytes: int = PIXEL_BYTES
    query_bytes: int = 0
    keep_in_fp32: tuple[str, ...] = ()
    keep_in_tf32: tuple[str, ...] = ()
    pose_extras: tuple[str, ...] = ()
    unsigned_frames: bool = False
    keeps_pose: bool = False


@dataclass(frozen=True, slots=True)
class Mapped:
    """Batch of finished pictures (B, 3, H, W), and by name the maps (1 or B, C, h, w) that were made on the way.

    FLOW (B, 2, H, W) is where each pixel of a picture looks in the source, x then y, in the coordinates of points, as
    the network itself samples it. OCCLUSION (B, 1, H, W) is how much of the source shows there, in [0, 1]; not every
    model with a flow estimates it. Both are float32. MASK (B, 1, h, w) is where the source is put in, of a model that
    leaves the rest of a driving frame as it is. `points` (1 or B, K, 2) are those of the source, of the driving frames
    and of the result, by these names; the driver adds them.
    """

    pictures: Tensor
    maps: Mapping[str, Tensor]
    points: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


class Watch(Protocol):
    """Watch over the layers of a network: `total` is a scalar that is not finite once one of them overflowed."""

    total: Tensor

    def remove(self) -> None:
        """Let the layers run unwatched from now on."""
        ...


class Animator(nn.Module):
    """Base class of every architecture: a network that gives one picture the poses of others.

    An architecture implements `motion`, `encode` and `render`, and of the rest what its `spec` says it offers.
    `config` is the dataclass that its networks were built from. `optimized` tells whether it was rewritten for running,
    which can be done once; `watch` notices overflow where layers run in float16.
    """

    spec: AnimatorSpec
    optimized: bool = False
    config: Any  # each architecture's own dataclass
    watch: Watch | None = None

    def prepare(self, source: Tensor) -> Prepared:
        """Read the pose of the source picture (1, 3, H, W), or of all with `several_sources`, and encode it.

        Done once per clip.
        """
        motion = self.motion(source)
        return Prepared(motion, self.encode(source, motion))

    def motion(self, driving: Tensor) -> Motion:
        """Read the poses of driving frames (B, 3, H, W)."""
        raise NotImplementedError

    def encode(self, source: Tensor, motion: Motion) -> Mapping[str, Tensor]:
        """Compute the features that `render` needs of the source, whose own motion is given."""
        raise NotImplementedError

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source in B poses: (B, 3, H, W) in [0, 1]."""
        raise NotImplementedError

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        """Bring B driving poses into the source's own shape (animation via disentanglement): B poses.

        Offered with "avd" in `spec.modes`.
        """
        raise self._not_offered("avd")

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        """Add to B driving poses how the background of each differs from the source's; with `spec.has_background`."""
        raise self._not_offered("movement of the background")

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, and return the maps behind the pictures too; by default none.

        With `spec.has_flow`, FLOW is among them.
        """
        return Mapped(self.render(prepared, motion), {})

    def decode(self, prepared: Prepared, motion: Motion, queries: Tensor) -> Tensor:
        """Decode N single pixels of the pictures in B poses: colours (N, 3) in [0, 1]; with `spec.query_bytes`.

        `queries` (N) counts the pixels of all pictures, picture by picture and row by row.
        """
        raise self._not_offered("decoding of single pixels")

    def _not_offered(self, what: str) -> InputError:
        return InputError(f"{self.spec.name} offers no {what}. Choose another model or mode.")


class Clip(Protocol):
    """Driving clip that can be read more than once: in memory, or decoded from a file as it is needed.

    Frames come as uint8 or float (B, H, W, C), exactly as they are stored; `animation.frames` checks and
    converts them.
    """

    def __len__(self) -> int:
        """Count the frames."""
        ...

    def frame(self, index: int) -> Tensor:
        """Return one frame as (1, H, W, C)."""
        ...

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order, `size` at a time; the last chunk may be shorter."""
        ...


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Settings that the tensors of a checkpoint cannot tell.

    `aligned_sampling`: sample as the PyTorch of the weights' own time did (corners aligned) instead of as
    the published code does today; None keeps what the file says, and the published form if it says nothing.
    `scale_factor`: how much pictures shrink before keypoints and motion are estimated; None for the file's.
    `variant`: which published file the weights are like, where neither their bytes nor their name tell.
    """

    aligned_sampling: bool | None = None
    scale_factor: float | None = None
    variant: str | None = None
