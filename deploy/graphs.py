"""Graphs that a model is exported as: networks with named tensors going in and coming out.

`motion` reads the poses of pictures, `prepare` encodes the source from its picture and its pose, `render` draws the
source in poses. A model that offers them has two more, which map driving poses to the source's: `avd`, `background`.
Names: a pose is `points`, `jacobians` and whatever else the model reads; with `source.` before them it is the source's;
`prepared.` marks what `prepare` makes, `posed.` the poses that `avd` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.types import Animator, Motion, Prepared
from .onnx_loading import (
    AVD,
    BACKGROUND,
    COLOURS,
    FRAMES,
    JACOBIANS,
    MOTION,
    PICTURES,
    POINTS,
    POSED,
    PREPARE,
    PREPARED,
    QUERIES,
    RENDER,
    SOURCE,
)  # fmt: skip

Tensors = dict[str, Tensor]
Run = Callable[[Animator, Tensors], Tensors]

EXAMPLE = 2  # pictures; a batch of one would be taken for a constant
MOST = 64  # pictures at once
DRIVING_SEED = 1


def of_motion(motion: Motion) -> Tensors:
    """Name the tensors of a motion."""
    parts = {POINTS: motion.points, JACOBIANS: motion.jacobians, **motion.extra}
    return {name: value for name, value in parts.items() if value is not None}


def of_source(prepared: Prepared) -> Tensors:
    """Name the tensors of the source: its pose and its features."""
    return prefixed(SOURCE + ".", of_motion(prepared.motion)) | prefixed(PREPARED, prepared.features)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Put a prefix before all names."""
    return {prefix + name: value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Take the tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def motion_in(tensors: Mapping[str, Tensor], prefix: str = "") -> Motion:
    """Make a motion of named tensors: those with the prefix, or without one those that are a driving pose's."""
    found = under(prefix, tensors) if prefix else {name: value for name, value in tensors.items() if "." not in name}
    extra = {name: value for name, value in found.items() if name not in (POINTS, JACOBIANS, QUERIES)}
    return Motion(found[POINTS], found.get(JACOBIANS), extra)


def prepared_in(tensors: Mapping[str, Tensor]) -> Prepared:
    """Make the source's state of named tensors."""
    return Prepared(motion_in(tensors, SOURCE + "."), under(PREPARED, tensors))


def _motion(animator: Animator, tensors: Tensors) -> Tensors:
    return of_motion(animator.motion(tensors[FRAMES]))


def _prepare(animator: Animator, tensors: Tensors) -> Tensors:
    return prefixed(PREPARED, animator.encode(tensors[SOURCE], motion_in(tensors, SOURCE + ".")))


def _render(animator: Animator, tensors: Tensors) -> Tensors:
    return {PICTURES: animator.render(prepared_in(tensors), motion_in(tensors))}


def _decode(animator: Animator, tensors: Tensors) -> Tensors:
    return {COLOURS: animator.decode(prepared_in(tensors), motion_in(tensors), tensors[QUERIES])}


def _avd(animator: Animator, tensors: Tensors) -> Tensors:
    return prefixed(POSED, of_motion(animator.avd(prepared_in(tensors), motion_in(tensors))))


def _background(animator: Animator, tensors: Tensors) -> Tensors:
    moved = animator.move_background(prepared_in(tensors), motion_in(tensors))
    return {BACKGROUND: moved.extra[BACKGROUND]}


class Graph(nn.Module):
    """Function of a model, from tensors in the order of `inputs` to those in the order of `outputs`."""

    def __init__(self, animator: Animator, run: Run, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.animator, self.run, self.inputs, self.outputs = animator, run, inputs, outputs

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the function."""
        made = self.run(self.animator, dict(zip(self.inputs, tensors, strict=True)))
        return tuple(_own(made[name], tensors) for name in self.outputs)


def _own(tensor: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Copy an output that is an input, as both would get one name."""
    return tensor.clone() if any(tensor is given for given in inputs) else tensor


@dataclass(frozen=True, slots=True)
class GraphExample:
    """Graph with example tensors by name; `batches` are inputs whose first side is that of a batch, or of `queries`."""

    name: str
    graph: Graph
    tensors: Tensors
    batches: tuple[str, ...]

    def dynamic_shapes(self) -> tuple[dict[int, torch.export.Dim] | None, ...]:
        """Mark the sides that may change, as `torch.export` wants them."""
        batch, pixels = torch.export.Dim("batch", min=1, max=MOST), torch.export.Dim("pixels", min=2)
        sides = {name: {0: pixels if name == QUERIES else batch} for name in self.batches}
        return tuple(sides.get(name) for name in self.graph.inputs)


def pictures(count: int, size: int, seed: int) -> Tensor:
    """Draw smooth pictures (count, 3, size, size) in [0, 1]: noise would put all points of a detector in one place."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    return nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


@torch.no_grad()
def graphs_of(animator: Animator, size: int, count: int = EXAMPLE) -> list[GraphExample]:
    """Take a model apart into its graphs, with examples of `count` driving pictures of a side."""
    source, frames = pictures(1, size, 0), pictures(count, size, DRIVING_SEED)
    prepared, motion = animator.prepare(source), animator.motion(frames)
    if animator.spec.has_background:
        motion = animator.move_background(prepared, motion)
    own, state = of_motion(motion), of_source(prepared)
    pose = {name: value for name, value in own.items() if name != BACKGROUND}
    encoded = prefixed(SOURCE + ".", of_motion(prepared.motion))
    wanted: list[tuple[str, Run, Tensors, tuple[str, ...]]] = [
        (MOTION, _motion, {FRAMES: frames}, (FRAMES,)),
        (PREPARE, _prepare, {SOURCE: source, **encoded}, ()),
    ]
    if animator.spec.query_bytes:
        queries = {QUERIES: torch.arange(count * size * size)[:: max(1, count * size * size // 512)]}
        wanted.append((RENDER, _decode, {**own, **state, **queries}, (*own, QUERIES)))
    else:
        wanted.append((RENDER, _render, {**own, **state}, (*own,)))
    if AVD in animator.spec.modes:
        wanted.append((AVD, _avd, {**pose, **state}, (*pose,)))
    if animator.spec.has_background:
        wanted.append((BACKGROUND, _background, {**pose, **state}, (*pose,)))
    return [_example(animator, *one) for one in wanted]


def _example(animator: Animator, name: str, run: Run, tensors: Tensors, batches: tuple[str, ...]) -> GraphExample:
    outputs = tuple(run(animator, dict(tensors)))
    return GraphExample(name, Graph(animator, run, tuple(tensors), outputs), tensors, batches)
