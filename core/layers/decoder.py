"""The generator that warps an encoded source and paints what the source does not show."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d
from .dense_motion import DenseMotion


class SkipGenerator(nn.Module):
    """Encoder, residual bottleneck and decoder, with warped skips at every scale, the picture's own included.

    Articulated Animation's generator: each map that enters the decoder is m warp(f) + (1 - m) x, for the
    visibility m. `encode` depends on the source alone, `decode` on each frame.
    """

    def __init__(
        self,
        block_expansion: int,
        max_features: int,
        num_down_blocks: int,
        num_bottleneck_blocks: int,
        *,
        channels: int = 3,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        widths = [min(max_features, block_expansion * 2**i) for i in range(num_down_blocks + 1)]
        self.first = SameBlock2d(channels, block_expansion, kernel_size=7)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b) for a, b in pairwise(widths))
        self.bottleneck = nn.Sequential(
            OrderedDict((f"r{i}", ResBlock2d(widths[-1])) for i in range(num_bottleneck_blocks))
        )
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b) for a, b in pairwise(widths[::-1]))
        self.final = nn.Conv2d(block_expansion, channels, 7, padding=3)
        self.align_corners = align_corners

    def encode(self, source: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) -> itself as `source`, `skip0`, `skip1`, ... from fine to coarse, and `encoded` below them."""
        features, out = {"source": source}, self.first(source)
        for i, block in enumerate(self.down_blocks):
            features[f"skip{i}"] = out
            out = block(out)
        return features | {"encoded": out}

    def decode(self, features: Mapping[str, Tensor], motion: DenseMotion) -> Tensor:
        """Features of the source (1 or B) and dense motion (B) -> pictures (B, 3, H, W) in [0, 1]."""
        height, width = features["encoded"].shape[2:]
        here = motion.at((height, width))
        warped = here.move(features["encoded"], self.align_corners)
        out = here.fill(warped, self.bottleneck(warped))
        for depth, block in enumerate(self.up_blocks, 1):
            height, width = 2 * height, 2 * width
            here = motion.at((height, width))
            skip = features[f"skip{len(self.up_blocks) - depth}"]
            out = here.fill(here.move(skip, self.align_corners), block(out))
        picture = torch.sigmoid(self.final(out))
        return here.fill(here.move(features["source"], self.align_corners), picture)

    def deformed(self, source: Tensor, motion: DenseMotion) -> Tensor:
        """The source picture (1 or B, 3, H, W) warped by the flow alone; to look at, or to train on."""
        height, width = source.shape[2:]
        return DenseMotion(motion.at((height, width)).deformation, None).move(source, self.align_corners)
