"""Configuration of a face parser, read off a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.weights.checkpoint import State


@dataclass(frozen=True, slots=True)
class FaceParsingConfig:
    """Sizes of a face parser; the defaults are the published file's. `width` is that of the ResNet's first layer."""

    num_classes: int = 19
    width: int = 64


def from_states(states: Mapping[str, State]) -> FaceParsingConfig:
    """Read the configuration off the tensors; raises KeyError if they are not a face parser's."""
    state = states[""]
    return FaceParsingConfig(state["conv_out.conv_out.weight"].shape[0], state["cp.resnet.conv1.weight"].shape[0])
