"""Feature pyramid of the source, and the decoder that paints from its warped maps (MRFA, section 3.3)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d
from .config import MRFAConfig


class ChannelBlock2d(nn.Module):
    """Norm, ReLU, and a 3x3 convolution that halves the channels."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2 * features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(2 * features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 2 features, H, W) to (B, features, H, W)."""
        return self.conv1(F.relu(self.norm1(x), inplace=not self.training))


class OcclusionAwareGenerator(nn.Module):
    """Encoder of the source and decoder: `decoded` is one step up the pyramid, `final` the picture's last layer."""

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        widths = config.generator.widths
        self.first = SameBlock2d(3, widths[0], kernel_size=7)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b) for a, b in pairwise(widths))
        coarse = widths[::-1]
        self.channel_block = nn.ModuleList(ChannelBlock2d(width) for width in coarse[:-1])
        self.resblock = nn.ModuleList(ResBlock2d(width) for width in coarse[:-1])
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b) for a, b in pairwise(coarse))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def encode(self, source: Tensor) -> list[Tensor]:
        """Encode sources (B, 3, H, W) into features, coarsest first; the last are of the picture's size."""
        maps = [self.first(source)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps[::-1]

    def decoded(self, stage: int, x: Tensor) -> Tensor:
        """Map (B, 2C, h, w) to (B, C', 2h, 2w), C' being the next stage's width."""
        return self.up_blocks[stage](self.resblock[stage](self.channel_block[stage](x)))
