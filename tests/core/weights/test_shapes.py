"""Sizes of networks, read off tensors."""

from __future__ import annotations

import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.layers.antialias import AntiAliasInterpolation2d
from first_order_motion.core.weights.shapes import blur_scale, count_numbered, generator_sizes, hourglass_sizes, widths
from torch import Tensor


def blocks(prefix: str, *channels: int) -> dict[str, Tensor]:
    return {f"{prefix}{index}.conv.weight": torch.zeros(count, 1, 1, 1) for index, count in enumerate(channels)}


def test_widths_of_numbered_blocks() -> None:
    state = {**blocks("down.", 8, 16, 32), "down.4.conv.weight": torch.zeros(64, 1, 1, 1)}
    assert widths(state, "down.") == [8, 16, 32]
    assert widths(state, "up.") == []


def test_an_hourglass() -> None:
    state = {**blocks("h.encoder.down_blocks.", 16, 32, 32), **blocks("h.decoder.up_blocks.", 32, 16, 8)}
    assert hourglass_sizes(state, "h.") == {"block_expansion": 8, "max_features": 32, "num_blocks": 3}
    with pytest.raises(KeyError, match=r"x\.encoder"):
        hourglass_sizes(state, "x.")


@pytest.mark.parametrize(("down", "most"), [((16, 32), 32), ((), 8)])
def test_a_generator(down: tuple[int, ...], most: int) -> None:
    state = {"first.conv.weight": torch.zeros(8, 3, 7, 7), **blocks("down_blocks.", *down)}
    state |= {f"bottleneck.r{index}.conv{half}.bias": torch.zeros(1) for index in range(3) for half in (1, 2)}
    sizes = generator_sizes(state)
    assert list(sizes.values()) == [8, most, len(down), 3]


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.125])
def test_the_scale_of_a_blur(scale: float) -> None:
    state = {f"p.down.{key}": value for key, value in AntiAliasInterpolation2d(3, scale).state_dict().items()}
    assert blur_scale(state, "p.", 1.0) == scale


def test_no_blur_and_an_odd_one() -> None:
    assert blur_scale({}, "p.", 0.25) == 0.25
    with pytest.raises(CheckpointError, match="9-tap blur"):
        blur_scale({"down.weight": torch.zeros(3, 1, 9, 9)}, "", 1.0)


def test_counting_keys() -> None:
    state = {f"layers.{number}.weight": torch.zeros(1) for number in (0, 1, 2, 4)}
    assert count_numbered(state, "layers.{}.weight") == 3
    assert count_numbered(state, "layers.{}.weight", step=2) == 3
    assert count_numbered(state, "layers.{}.bias") == 0
