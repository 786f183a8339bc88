"""A seventh architecture, there for tests alone: this folder and the row below are all there is of it.

Keypoints from one convolution; the source's features, moved as they moved on average; a picture from one more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from first_order_motion.core.layers.grid import make_coordinate_grid, warp
from first_order_motion.core.layers.heatmap import expected_point, spatial_softmax
from first_order_motion.core.types import Animator, AnimatorSpec, LoadOptions, Motion, Prepared
from first_order_motion.core.weights.architecture import RELATIVE, Architecture, has_keys
from first_order_motion.core.weights.build import build_strict
from first_order_motion.core.weights.catalog import PublishedWeights
from first_order_motion.core.weights.checkpoint import Checkpoint
from first_order_motion.core.weights.config import Description, describe
from torch import Tensor, nn

PARTS = ("toy_detector", "toy_painter")


@dataclass(frozen=True, slots=True)
class ToyConfig:
    """Keypoints, and channels of the features."""

    num_kp: int = 5
    num_channels: int = 3
    block_expansion: int = 32


class ToyDetector(nn.Module):
    """Picture -> keypoints."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.kp = nn.Conv2d(config.num_channels, config.num_kp, 7, padding=3)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, K, 2)."""
        heatmap = spatial_softmax(self.kp(image), 0.02)
        return expected_point(heatmap, make_coordinate_grid(*heatmap.shape[2:], like=heatmap))


class ToyPainter(nn.Module):
    """Features of the source, and a picture of them."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.first = nn.Conv2d(config.num_channels, config.block_expansion, 3, padding=1)
        self.final = nn.Conv2d(config.block_expansion, config.num_channels, 3, padding=1)

    def forward(self, features: Tensor, shift: Tensor) -> Tensor:
        """(1, C, H, W) moved by (B, 2) -> (B, 3, H, W) in [0, 1]."""
        grid = make_coordinate_grid(*features.shape[2:], like=features)
        return torch.sigmoid(self.final(warp(features, grid - shift[:, None, None, :])))


class ToyAnimator(Animator):
    """Both networks."""

    def __init__(self, config: ToyConfig, size: int = 64) -> None:
        super().__init__()
        self.config = config
        self.toy_detector, self.toy_painter = ToyDetector(config), ToyPainter(config)
        self.spec = AnimatorSpec("Toy", size, 4, ("relative", "standard"), keep_in_fp32=("toy_detector",))
        self.eval()

    def motion(self, driving: Tensor) -> Motion:
        return Motion(self.toy_detector(driving))

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        return {"features": self.toy_painter.first(source)}

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        shift = (motion.points - prepared.motion.points).mean(dim=1)
        return self.toy_painter(prepared.features["features"], shift)


def _from_states(states: Mapping[str, Mapping[str, Tensor]]) -> ToyConfig:
    first, kp = states["toy_painter"]["first.weight"], states["toy_detector"]["kp.weight"]
    return ToyConfig(kp.shape[0], first.shape[1], first.shape[0])


DESCRIPTION = Description(
    name="toy",
    kind=ToyConfig,
    from_published=None,
    from_states=_from_states,
    size_of=lambda _checkpoint, _published: 64,
    bounds={},
)


def load(checkpoint: Checkpoint, _options: LoadOptions) -> ToyAnimator:
    """Build the network the checkpoint describes and load it strictly."""
    config, size = describe(checkpoint, DESCRIPTION)
    return build_strict(lambda: ToyAnimator(config, size), checkpoint, PARTS)


ARCHITECTURE = Architecture(
    id="toy",
    name="Toy",
    components=PARTS,
    matches=has_keys("toy_painter", "first."),
    published=(PublishedWeights(name="toy", files=("toy.safetensors",), page="nowhere", paper="none"),),
    load=load,
    options=RELATIVE,
)
