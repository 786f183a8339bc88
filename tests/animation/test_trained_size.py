"""Files without a description say by their blur kernel what size they were trained at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.layers.antialias import AntiAliasInterpolation2d
from first_order_motion.core.weights.checkpoint import Checkpoint
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_fomm.drawn.config import SIZE as DRAWN_SIZE
from first_order_motion.module_fomm.drawn.config import DrawnConfig
from first_order_motion.module_fomm.drawn.network import DrawnAnimator
from first_order_motion.module_spline.architecture import training_size
from support.architectures import ARTICULATE, SIDE, tiny
from torch import Tensor, nn

TEN_REGIONS = ArticulateAnimator(replace(ARTICULATE, num_regions=10), SIDE)  # as published files have
SIZES = {0.5: 128, 0.25: 256, 0.125: 512, 0.0625: 1024}


def blurred(network: nn.Module, scale: float | None) -> dict[str, dict[str, Tensor]]:
    """The state dicts of a network with the blur kernel of a scale, or without any."""
    kernel = None if scale is None else AntiAliasInterpolation2d(3, scale).weight
    states: dict[str, dict[str, Tensor]] = {}
    for part, module in network.named_children():
        state = dict(module.state_dict())
        for key in [key for key in state if key.endswith("down.weight") and state[key].shape[:2] == (3, 1)]:
            del state[key]
            if kernel is not None:
                state[key] = kernel
        states[part] = state
    return {part: state for part, state in states.items() if state}


@pytest.mark.parametrize("name", ["fomm", "articulate", "partswap", "partswap_first_order", "fsrt"])
@pytest.mark.parametrize(("scale", "size"), [*SIZES.items(), (None, 256)])
def test_the_kernel_tells_the_size(tmp_path: Path, name: str, scale: float | None, size: int) -> None:
    path = tmp_path / "vox.safetensors"
    to_safetensors(Checkpoint(path, blurred(TEN_REGIONS if name == "articulate" else tiny(name), scale)), path)
    if name == "fsrt" and scale is None:
        pytest.skip("whole pictures go through a detector without a kernel")
    assert load_animator(path, name.partition("_")[0]).spec.size == size


def test_twice_the_size_of_a_file_for_384_pixels(tmp_path: Path) -> None:
    path = tmp_path / "ted.safetensors"
    to_safetensors(Checkpoint(path, blurred(TEN_REGIONS, 0.125)), path)
    assert load_animator(path, "articulate").spec.size == 768


def test_the_bundled_network(tmp_path: Path) -> None:
    path = tmp_path / "drawn.safetensors"
    for scale, size in ((0.25, DRAWN_SIZE), (0.125, 2 * DRAWN_SIZE)):
        to_safetensors(Checkpoint(path, blurred(DrawnAnimator(DrawnConfig()), scale)), path)
        assert load_animator(path, "drawn").spec.size == size


@pytest.mark.parametrize(("file", "size"), [("vox.pth", 512), ("ted.pth", 768), ("vox-256.pth", 256)])
def test_splines(file: str, size: int) -> None:
    state = {"down.weight": torch.ones(3, 1, 29, 29)}
    assert training_size(Checkpoint(Path(file), {"dense_motion_network": state}), None) == size
