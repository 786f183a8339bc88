"""The generator of FOMM and Articulated Animation: warp an encoded source, paint what the source does not show."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d
from .dense_motion import DenseMotion
from .grid import resize_map, warp


def residual_blocks(features: int, count: int) -> nn.Sequential:
    """Blocks `r0`, `r1`, ... one after another; without any the input stays as it is."""
    return nn.Sequential(OrderedDict((f"r{i}", ResBlock2d(features)) for i in range(count)))


class WarpingGenerator(nn.Module):
    """Encoder, residual bottleneck and decoder. `encode` depends on the source alone, `decode` on each frame.

    Without `skips` (FOMM) only the innermost features are warped. With them (Articulated Animation) every map that
    enters the decoder, and the picture itself at its end, is m warp(f) + (1 - m) x for the visibility m.
    `learnt_blend`, which is ours, mixes the warped picture in by a map of its own instead of m. With `guides`, ours
    too, the bottleneck also sees so many maps of what is to be seen where. `refinements`, ours again, are how many
    residual blocks mend each map that skips were blended into. The published code resizes the flow with corners not
    aligned, which bends it by up to a pixel; `resize_aligned` does not.
    """

    def __init__(
        self,
        block_expansion: int,
        max_features: int,
        num_down_blocks: int,
        num_bottleneck_blocks: int,
        *,
        skips: bool,
        learnt_blend: bool = False,
        resize_aligned: bool = False,
        guides: int = 0,
        refinements: int = 0,
        channels: int = 3,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        widths = [min(max_features, block_expansion * 2**i) for i in range(num_down_blocks + 1)]
        self.first = SameBlock2d(channels, block_expansion, kernel_size=7)
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b) for a, b in pairwise(widths))
        self.bottleneck = residual_blocks(widths[-1], num_bottleneck_blocks)
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b) for a, b in pairwise(widths[::-1]))
        self.final = nn.Conv2d(block_expansion, channels, 7, padding=3)
        self.blend = nn.Conv2d(block_expansion, 1, 7, padding=3) if learnt_blend else None
        self.guide = nn.Conv2d(guides, widths[-1], 3, padding=1) if guides else None
        self.refine_blocks = nn.ModuleList(residual_blocks(width, refinements) for width in widths[-2::-1])
        self.skips = skips
        self.align_corners = align_corners
        self.resize_aligned = resize_aligned

    def encode(self, source: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) -> `encoded`, the innermost features; with skips also `source` itself and `skip0`, `skip1`,
        ... from fine to coarse.
        """
        features: dict[str, Tensor] = {"source": source} if self.skips else {}
        out = self.first(source)
        for i, block in enumerate(self.down_blocks):
            if self.skips:
                features[f"skip{i}"] = out
            out = block(out)
        return features | {"encoded": out}

    def decode(self, features: Mapping[str, Tensor], motion: DenseMotion) -> Tensor:
        """Features of the source (1 or B) and dense motion (B) -> pictures (B, 3, H, W) in [0, 1]."""
        height, width = features["encoded"].shape[2:]
        here = motion.at((height, width), self.resize_aligned)
        warped = here.move(features["encoded"], self.align_corners)
        if not self.skips:
            return self.paint(warped)
        guided = warped
        if self.guide is not None and motion.guides is not None:
            guided = warped + self.guide(resize_map(motion.guides, (height, width), self.align_corners))
        out = here.fill(warped, self.bottleneck(guided))
        for depth, (block, refine) in enumerate(zip(self.up_blocks, self.refine_blocks, strict=True), 1):
            height, width = 2 * height, 2 * width
            here = motion.at((height, width), self.resize_aligned)
            skip = features[f"skip{len(self.up_blocks) - depth}"]
            out = refine(here.blend(skip, block(out), self.align_corners))
        source = features["source"]
        picture = torch.sigmoid(self.final(out).to(source.dtype))
        if self.blend is None:
            return here.blend(source, picture, self.align_corners)
        share = torch.sigmoid(self.blend(out).to(source.dtype))
        return torch.lerp(picture, self.deformed(source, here), share)

    def paint(self, encoded: Tensor) -> Tensor:
        """Innermost features (B, C, h, w) that are already in place -> pictures (B, 3, H, W), without skips."""
        out = self.bottleneck(encoded)
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out))

    def deformed(self, source: Tensor, motion: DenseMotion) -> Tensor:
        """The source picture (1 or B, 3, H, W) warped by the flow alone; to look at, or to train on."""
        return warp(source, motion.deformation, self.align_corners, self.resize_aligned)
