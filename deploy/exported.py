"""Exported graphs as an `Animator`, so that the pack's own driver can animate by them: ONNX Runtime draws."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import CheckpointError
from ..core.types import Animator, AnimatorSpec, Motion, Prepared
from .graphs import Tensors, motion_in, of_motion, of_source, prefixed, under
from .onnx_animator import Arrays, OnnxAnimator
from .onnx_loading import AVD, BACKGROUND, POSED, PREPARE, SOURCE
from .onnx_media import OnnxError


class ExportedAnimator(Animator):
    """Model of exported graphs; see `core.types.Animator`. It works at the size that it was exported at."""

    config: str  # which tells exports apart

    def __init__(self, graphs: OnnxAnimator) -> None:
        super().__init__()
        self.graphs, self.config, self.optimized = graphs, graphs.facts.export, True
        self.register_buffer("export", torch.tensor([*bytes.fromhex(self.config)], dtype=torch.uint8))
        self.spec = AnimatorSpec(
            name=graphs.name,
            size=graphs.size,
            multiple=graphs.size,
            modes=graphs.modes,
            has_background=BACKGROUND in graphs.sessions,
            fixed_size=True,
            pose_extras=graphs.facts.pose_extras,
            unsigned_frames=graphs.facts.unsigned_frames,
            keeps_pose=graphs.facts.keeps_pose,
        )

    def motion(self, driving: Tensor) -> Motion:
        """Read the poses of driving frames (B, 3, H, W)."""
        return motion_in(_tensors(self.graphs.motion(_array(driving))))

    def encode(self, source: Tensor, motion: Motion) -> Tensors:
        """Encode pictures (B, 3, H, W), one after another, as the graph takes one."""
        tensors = {SOURCE: source, **prefixed(SOURCE + ".", of_motion(motion))}
        found = [self._run(PREPARE, row) for row in _rows(tensors, len(source))]
        return under("prepared.", {name: torch.cat([row[name] for row in found]) for name in found[0]})

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        """Bring B driving poses into the source's own shape."""
        return motion_in(under(POSED, self._run(AVD, of_source(prepared) | of_motion(motion))))

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        """Add the background's motion to B driving motions."""
        moved = self._run(BACKGROUND, of_source(prepared) | of_motion(motion))
        return Motion(motion.points, motion.jacobians, {**motion.extra, **moved})

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source, or each of B sources, in B poses: (B, 3, H, W) in [0, 1]."""
        state, count = of_source(prepared), len(motion)
        if len(prepared.motion) == 1:
            pictures = self.graphs.render(_arrays(state), _arrays(of_motion(motion)))
        else:
            poses = _rows(of_motion(motion), count)
            pairs = zip(_rows(state, count), poses, strict=True)
            pictures = np.concatenate([self.graphs.render(_arrays(own), _arrays(pose)) for own, pose in pairs])
        return torch.as_tensor(pictures).movedim(-1, 1)

    def _run(self, graph: str, tensors: Mapping[str, Tensor]) -> Tensors:
        return _tensors(self.graphs.run_graph(graph, _arrays(tensors)))


def load_exported(folder: Path, device: str = "cpu") -> ExportedAnimator:
    """Load exported graphs for one of ONNX Runtime's devices. Raises CheckpointError for what cannot be used."""
    with onnx_refusals():
        return ExportedAnimator(OnnxAnimator.load(folder, device, torch.get_num_threads()))


@contextmanager
def onnx_refusals() -> Generator[None, None, None]:
    """Turn the errors of the runtime without PyTorch into the pack's own."""
    try:
        yield
    except OnnxError as error:
        raise CheckpointError(str(error)) from error


def _rows(tensors: Mapping[str, Tensor], count: int) -> list[Tensors]:
    """Take tensors of `count` rows apart, each name with one row."""
    return [{name: tensor[row : row + 1] for name, tensor in tensors.items()} for row in range(count)]


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.contiguous().numpy()


def _arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    return {name: _array(tensor) for name, tensor in tensors.items()}


def _tensors(arrays: Arrays) -> Tensors:
    return {name: torch.as_tensor(array) for name, array in arrays.items()}
