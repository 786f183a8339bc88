"""The generator: warp the source's features, hide what is occluded, fill it in (FOMM, section 3.2)."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..core.layers.blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d
from ..core.layers.dense_motion import DenseMotion
from ..core.layers.grid import resize_map, warp
from ..core.types import Motion
from .config import FOMMConfig
from .dense_motion import DenseMotionNetwork


class OcclusionAwareGenerator(nn.Module):
    """Source picture and two motions -> picture. `encode` depends on the source alone, `decode` on each frame."""

    def __init__(self, config: FOMMConfig) -> None:
        super().__init__()
        generator = config.generator
        widths = [
            min(generator.max_features, generator.block_expansion * 2**i) for i in range(generator.num_down_blocks + 1)
        ]
        self.dense_motion_network = DenseMotionNetwork(config)
        self.first = SameBlock2d(config.num_channels, generator.block_expansion, kernel_size=7)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b) for a, b in pairwise(widths))
        self.bottleneck = nn.Sequential(
            OrderedDict((f"r{i}", ResBlock2d(widths[-1])) for i in range(generator.num_bottleneck_blocks))
        )
        falling = widths[::-1]
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b) for a, b in pairwise(falling))
        self.final = nn.Conv2d(generator.block_expansion, config.num_channels, 7, padding=3)
        self.align_corners = config.align_corners

    def encode(self, source: Tensor) -> Tensor:
        """(B, 3, H, W) -> the features that are warped, (B, C, H/4, W/4) in the published files."""
        out = self.first(source)
        for block in self.down_blocks:
            out = block(out)
        return out

    def warp_features(self, encoded: Tensor, motion: DenseMotion) -> Tensor:
        """Features (1 or B, ...) moved along the flow, dimmed where the source shows nothing of it."""
        out = warp(encoded, motion.deformation, self.align_corners)
        if motion.occlusion_map is None:
            return out
        height, width = out.shape[2:]
        return out * resize_map(motion.occlusion_map, (height, width))

    def decode(self, encoded: Tensor, motion: DenseMotion) -> Tensor:
        """Encoded source (1 or B) and dense motion (B) -> pictures (B, 3, H, W) in [0, 1]."""
        out = self.bottleneck(self.warp_features(encoded, motion))
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out))

    def forward(self, source: Tensor, kp_source: Motion, kp_driving: Motion) -> tuple[Tensor, DenseMotion]:
        """Everything at once, as in training: (B, 3, H, W), motions of B -> prediction and dense motion."""
        small = self.dense_motion_network.down(source)
        motion = self.dense_motion_network(small, kp_source, kp_driving)
        return self.decode(self.encode(source), motion), motion

    def deformed(self, source: Tensor, motion: DenseMotion) -> Tensor:
        """The source picture (1 or B, 3, H, W) warped by the flow alone; to look at, or to train on."""
        return warp(source, motion.deformation, self.align_corners)
