"""Generator of FOMM, Articulated Animation and Part Swap: warp an encoded source, and inpaint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import DownBlock2d, ResBlock2d, SameBlock2d, SeparableResBlock2d, UpBlock2d, head
from .dense_motion import DenseMotion
from .grid import warp


def residual_blocks(features: int, count: int, *, separable: bool = False) -> nn.Sequential:
    """Chain residual blocks `r0`, `r1`, ...; none of them leave the input as it is."""
    kind = SeparableResBlock2d if separable else ResBlock2d
    return nn.Sequential(OrderedDict((f"r{i}", kind(features)) for i in range(count)))


def first_block(channels: int, features: int, *, separable: bool = False) -> nn.Module:
    """Make the encoder's first block: a 7x7 convolution, or three 3x3 ones that see as far."""
    if not separable:
        return SameBlock2d(channels, features, kernel_size=7)
    widths = (channels, channels, channels, features)
    return nn.Sequential(*(SameBlock2d(a, b, kernel_size=3, bias=False) for a, b in pairwise(widths)))


def last_convolutions(bottleneck: str, count: int, last: int) -> tuple[str, ...]:
    """Name the second convolutions of the last of `count` residual blocks, whose rounding shows in the picture most."""
    return tuple(f"{bottleneck}.r{i}.conv2" for i in range(max(0, count - last), count))


class WarpingGenerator(nn.Module):
    """Encoder, residual bottleneck and decoder. `encode` depends on the source alone, `decode` on each frame.

    Without `skips` (FOMM) only the innermost features are warped. With them (Articulated Animation) every map that
    enters the decoder, and the picture itself at its end, is m warp(f) + (1 - m) x for the visibility m.
    `resize_aligned` is whether flows are resized with their corners aligned.
    """

    resize_aligned = False

    def __init__(
        self,
        block_expansion: int,
        max_features: int,
        num_down_blocks: int,
        num_bottleneck_blocks: int,
        *,
        skips: bool,
        channels: int = 3,
        align_corners: bool = False,
        separable: bool = False,
    ) -> None:
        super().__init__()
        self.widths = widths = [min(max_features, block_expansion * 2**i) for i in range(num_down_blocks + 1)]
        self.first = first_block(channels, block_expansion, separable=separable)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b, separable=separable) for a, b in pairwise(widths))
        self.bottleneck = residual_blocks(widths[-1], num_bottleneck_blocks, separable=separable)
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b, separable=separable) for a, b in pairwise(widths[::-1]))
        self.final = head(block_expansion, channels, stacked=separable)
        self.skips = skips
        self.align_corners = align_corners

    def encode(self, source: Tensor) -> dict[str, Tensor]:
        """Encode sources (B, 3, H, W) into the innermost features, `encoded`; with skips also into `source`, which
        they are themselves, and `skip0`, `skip1`, ... from fine to coarse.
        """
        features: dict[str, Tensor] = {"source": source} if self.skips else {}
        out = self.first(source)
        for i, block in enumerate(self.down_blocks):
            if self.skips:
                features[f"skip{i}"] = out
            out = block(out)
        return features | {"encoded": out}

    def decode(self, features: Mapping[str, Tensor], motion: DenseMotion) -> Tensor:
        """Paint pictures (B, 3, H, W) in [0, 1] from features of the source (1 or B) and dense motion (B)."""
        height, width = features["encoded"].shape[2:]
        here = motion.at((height, width))
        warped = here.move(features["encoded"], self.align_corners)
        if not self.skips:
            return self.paint(warped)
        out = here.fill(warped, self.bottleneck(warped))
        for depth, block in enumerate(self.up_blocks, 1):
            here = motion.at((height * 2**depth, width * 2**depth))
            out = here.blend(self.skip(features, depth), block(out), self.align_corners)
        source = features["source"]
        return here.blend(source, torch.sigmoid(self.final(out).to(source.dtype)), self.align_corners)

    def skip(self, features: Mapping[str, Tensor], depth: int) -> Tensor:
        """Pick the encoder's map that belongs behind the decoder's block number `depth`, counted from 1."""
        return features[f"skip{len(self.up_blocks) - depth}"]

    def paint(self, encoded: Tensor) -> Tensor:
        """Paint pictures (B, 3, H, W) from innermost features (B, C, h, w) that were moved already, without skips."""
        out = self.bottleneck(encoded)
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out))

    def deformed(self, source: Tensor, motion: DenseMotion) -> Tensor:
        """Warp the source picture (1 or B, 3, H, W) by the flow alone, to look at or to train on."""
        return warp(source, motion.deformation, self.align_corners, self.resize_aligned)

    def maps(self, motion: DenseMotion, picture: Tensor) -> dict[str, Tensor]:
        """Name flow and occlusion map behind pictures (B, 3, H, W), at their size; see `core.types.Mapped`."""
        return motion.maps((picture.shape[2], picture.shape[3]), self.align_corners, self.resize_aligned)
