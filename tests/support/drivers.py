"""Animators and clips that watch what the driver does with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import torch
from first_order_motion.core.types import Animator, Mapped, Motion, Prepared
from support.architectures import blobs
from torch import Tensor

FRAMES = 11
SAME = {"rtol": 0, "atol": 1e-5}


@cache
def clip_of(count: int = FRAMES) -> Tensor:
    return blobs(count)


class Streamed:
    """A clip that exists only while it is read; counts the frames it has given."""

    def __init__(self, frames: Tensor) -> None:
        self._frames = frames
        self.given = 0

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, index: int) -> Tensor:
        return self._frames[index][None].clone()

    def chunks(self, size: int) -> Iterator[Tensor]:
        for start in range(0, len(self), size):
            chunk = self._frames[start : start + size].clone()
            self.given += len(chunk)
            yield chunk


class Around(Animator):
    """Another animator, whose pictures are drawn whole; to be changed in one place or the other."""

    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator, self.spec = animator, replace(animator.spec, query_bytes=0)

    def prepare(self, source: Tensor) -> Prepared:
        return self.animator.prepare(source)

    def motion(self, driving: Tensor) -> Motion:
        return self.animator.motion(driving)

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        return self.animator.render(prepared, motion)

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        return self.animator.avd(prepared, motion)

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        return self.animator.move_background(prepared, motion)

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        return self.animator.render_mapped(prepared, motion)


class Watched(Around):
    """An animator that notes what it is asked for, and fails on demand before it renders."""

    def __init__(self, animator: Animator, fail: Callable[[int], None] = lambda frames: None) -> None:
        super().__init__(animator)
        self.fail = fail
        self.prepared: list[Prepared] = []
        self.rendered: list[Motion] = []
        self.sizes: list[int] = []

    def prepare(self, source: Tensor) -> Prepared:
        self.prepared.append(super().prepare(source))
        return self.prepared[-1]

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        self.sizes.append(len(motion))
        self.fail(len(motion))
        self.rendered.append(motion)
        return super().render(prepared, motion)

    @property
    def poses(self) -> dict[str, Tensor]:
        """Every motion rendered, as one batch."""
        return stacked([named(motion) for motion in self.rendered])


def named(motion: Motion) -> dict[str, Tensor]:
    """The tensors of a motion by name."""
    parts = {"points": motion.points, "jacobians": motion.jacobians, **motion.extra}
    return {name: value for name, value in parts.items() if value is not None}


def stacked(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
