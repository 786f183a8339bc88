"""Inpainting network: warp the source at every size, and paint what it does not show (section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..core.layers.blocks import DownBlock2d, InstanceNorm, ResBlock2d, SameBlock2d, UpBlock2d
from ..core.layers.grid import warp
from .config import SplineConfig
from .dense_motion import DenseMotion


class InpaintingNetwork(nn.Module):
    """Generator of pictures. `encode` depends on the source alone, `decode` on each frame."""

    def __init__(self, config: SplineConfig) -> None:
        super().__init__()
        sizes = config.generator
        widths = [min(sizes.max_features, sizes.block_expansion * 2**i) for i in range(sizes.num_down_blocks + 1)]
        self.first = SameBlock2d(config.num_channels, widths[0], kernel_size=7, norm=InstanceNorm)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b, InstanceNorm) for a, b in pairwise(widths))
        # after the first, each stage takes what came before beside a warped map of as many channels
        stages = [widths[-1], *(2 * width for width in widths[-2:0:-1])]
        self.resblock = nn.ModuleList(ResBlock2d(width, InstanceNorm) for width in stages for _ in range(2))
        outputs = widths[-2::-1]
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b, InstanceNorm) for a, b in zip(stages, outputs, strict=True))
        self.final = nn.Conv2d(widths[0], config.num_channels, 7, padding=3)

    def encode(self, source: Tensor) -> dict[str, Tensor]:
        """Encode `source` (B, 3, H, W), which is returned too, into `encoded0` (full size), `encoded1`, ..."""
        out = self.first(source)
        features = {"source": source, "encoded0": out}
        for depth, block in enumerate(self.down_blocks, 1):
            features[f"encoded{depth}"] = out = block(out)
        return features

    def decode(self, features: Mapping[str, Tensor], motion: DenseMotion) -> Tensor:
        """Paint pictures (B, 3, H, W) in [0, 1] from `encode`'s maps of the source (1 or B) and dense motion (B)."""
        out = self.warped(features, motion, 0)
        for stage, block in enumerate(self.up_blocks):
            if stage > 0:
                out = torch.cat([out, self.warped(features, motion, stage)], dim=1)
            out = block(self.resblock[2 * stage + 1](self.resblock[2 * stage](out)))
        shown = motion.occlusion_maps[-1]
        out = self.final(out * (1 - shown) + self.warped(features, motion, len(self.up_blocks)))
        return torch.sigmoid(out) * (1 - shown) + moved(features["source"], motion, shown)

    def warped(self, features: Mapping[str, Tensor], motion: DenseMotion, stage: int) -> Tensor:
        """Warp the source's map of a stage (0 the coarsest), and dim it where the source does not show it."""
        return moved(features[self.key(stage)], motion, motion.occlusion_maps[stage])

    def key(self, stage: int) -> str:
        """Name the encoder's map of a stage, among those of `encode`."""
        return f"encoded{len(self.up_blocks) - stage}"


def moved(features: Tensor, motion: DenseMotion, shown: Tensor | None = None) -> Tensor:
    """Warp maps (1 or B, C, H, W) by the flow, and dim them by how visible they are, if that is given: (B, C, H, W)."""
    return warp(features, motion.deformation, align_corners=True, resize_aligned=True, visibility=shown)
