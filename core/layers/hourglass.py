"""Hourglass (U-net), which predicts keypoints, regions and dense motion in the first-order family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import DownBlock2d, Norm, UpBlock2d


class Encoder(nn.Module):
    """Contracting half: block i widens to min(max_features, block_expansion * 2^(i+1))."""

    def __init__(
        self,
        block_expansion: int,
        in_features: int,
        num_blocks: int,
        max_features: int,
        norm: Norm = nn.BatchNorm2d,
        *,
        separable: bool = False,
    ) -> None:
        super().__init__()
        widths = [in_features, *(min(max_features, block_expansion * 2 ** (i + 1)) for i in range(num_blocks))]
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b, norm, separable=separable) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the input and every block's output, finest first: num_blocks + 1 maps."""
        maps = [x]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps


class Decoder(nn.Module):
    """Expanding half: behind each block's output, the encoder's map of that size is appended."""

    def __init__(
        self,
        block_expansion: int,
        in_features: int,
        num_blocks: int,
        max_features: int,
        norm: Norm = nn.BatchNorm2d,
        *,
        separable: bool = False,
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for i in reversed(range(num_blocks)):
            skip = 1 if i == num_blocks - 1 else 2
            width = skip * min(max_features, block_expansion * 2 ** (i + 1))
            blocks.append(UpBlock2d(width, min(max_features, block_expansion * 2**i), norm, separable=separable))
        self.up_blocks = nn.ModuleList(blocks)
        self.out_features = block_expansion + in_features

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map the encoder's maps to the decoder's, coarsest first; the last has the input's size."""
        out = maps[-1]
        results: list[Tensor] = []
        for block, skip in zip(self.up_blocks, reversed(maps[:-1]), strict=True):
            out = torch.cat([block(out), skip], dim=1)
            results.append(out)
        return results


class Hourglass(nn.Module):
    """Encoder and decoder; `forward` gives the last map, `pyramid` one per scale.

    The output has block_expansion + in_features channels. Sides must divide by 2^num_blocks.
    """

    def __init__(
        self,
        block_expansion: int,
        in_features: int,
        num_blocks: int = 5,
        max_features: int = 1024,
        norm: Norm = nn.BatchNorm2d,
        *,
        separable: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(block_expansion, in_features, num_blocks, max_features, norm, separable=separable)
        self.decoder = Decoder(block_expansion, in_features, num_blocks, max_features, norm, separable=separable)
        self.out_features = self.decoder.out_features

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Return every decoder map, coarsest first."""
        return self.decoder(self.encoder(x))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_features, H, W) to (B, out_features, H, W)."""
        return self.pyramid(x)[-1]
