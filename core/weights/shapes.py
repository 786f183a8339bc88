"""Sizes of networks, read off the shapes of a checkpoint's tensors."""

from __future__ import annotations

from ..errors import CheckpointError
from ..layers.antialias import blur_sigma
from .checkpoint import State

USUAL_SCALE = 0.25  # of nearly every published file
MOBILE_SIGMA = 0.25  # of the blur in PaddleGAN's mobile FOMM, whatever the scale
MOBILE_TAPS = 3


def widths(state: State, prefix: str) -> list[int]:
    """List the output channels of the numbered blocks under a prefix, in order."""
    found: list[int] = []
    while (weight := state.get(f"{prefix}{len(found)}.conv.weight")) is not None:
        found.append(state.get(f"{prefix}{len(found)}.conv1.weight", weight).shape[0])  # the second of separable blocks
    return found


def hourglass_sizes(state: State, prefix: str) -> dict[str, int]:
    """Read `block_expansion`, `max_features` and `num_blocks` of the hourglass under a prefix."""
    down = widths(state, prefix + "encoder.down_blocks.")
    up = widths(state, prefix + "decoder.up_blocks.")
    if not down or not up:
        raise KeyError(prefix + "encoder.down_blocks.0.conv.weight")
    return {"block_expansion": up[-1], "max_features": max(down), "num_blocks": len(down)}


def generator_sizes(state: State) -> dict[str, int]:
    """Read `block_expansion`, `max_features` and the numbers of blocks of a generator, but for its motion network."""
    key = "first.2.conv.weight" if "first.2.conv.weight" in state else "first.conv.weight"  # separable, or not
    first, down = state[key].shape[0], widths(state, "down_blocks.")
    return {
        "block_expansion": first,
        "max_features": max(down, default=first),
        "num_down_blocks": len(down),
        "num_bottleneck_blocks": sum(
            key.endswith(("conv1.bias", "conv_dw.weight")) for key in state if key.startswith("bottleneck.")
        ),
    }


def blur_scale(state: State, prefix: str, absent: float) -> float:
    """Find the scale whose own blur kernel has the stored size (13 taps: a quarter); `absent` where none is stored."""
    weight = state.get(prefix + "down.weight")
    if weight is None:
        return absent
    taps = weight.shape[-1] if weight.ndim else 0
    if taps == MOBILE_TAPS:
        return absent  # it is the same at every scale
    for power in range(1, 6):
        if 2 * round(4 * blur_sigma(0.5**power)) + 1 == taps:
            return 0.5**power
    raise CheckpointError(f"{prefix}down.weight is a {taps}-tap blur; 5, 13 or 29 taps were expected")


def trained_size(state: State, prefix: str, usual: int) -> int:
    """Determine the side in pixels of the pictures that a network was trained with, from its stored blur kernel.

    Networks for larger pictures shrink them by a smaller scale, to the same maps: one with the kernel of an eighth (29
    taps) was trained at twice the size of those with that of a quarter, which have the `usual` size, as have files
    that lost their kernel.
    """
    return round(usual * USUAL_SCALE / blur_scale(state, prefix, USUAL_SCALE))


def count_numbered(state: State, key: str, step: int = 1) -> int:
    """Count the tensors whose keys are `key` with 0, `step`, 2 * `step`... in the place of its braces."""
    count = 0
    while key.format(step * count) in state:
        count += 1
    return count
