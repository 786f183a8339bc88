"""Discriminator of pictures that are to look real at the keypoints of others (FOMM code; patches as in pix2pix)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.heatmap import gaussian_heatmaps
from .objectives.params import DiscriminatorParams


class Verdict(NamedTuple):
    """Output of a discriminator of one scale: every block's features, and a map (B, 1, h, w), 1 where it sees truth."""

    features: list[Tensor]
    map: Tensor


def _convolution(in_features: int, out_features: int, kernel_size: int, sn: bool) -> nn.Module:
    conv = nn.Conv2d(in_features, out_features, kernel_size)
    # not `parametrizations.spectral_norm`, whose keys and order of updates are others than those of published files
    return nn.utils.spectral_norm(conv) if sn else conv


class DownBlock2d(nn.Module):
    """Unpadded 4x4 convolution, perhaps instance norm, leaky ReLU, and perhaps 2x2 average pooling."""

    def __init__(self, in_features: int, out_features: int, *, norm: bool, pool: bool, sn: bool) -> None:
        super().__init__()
        self.conv = _convolution(in_features, out_features, 4, sn)
        self.norm = nn.InstanceNorm2d(out_features, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H - 3, W - 3), halved with `pool`."""
        out = self.conv(x)
        if self.norm is not None:
            out = self.norm(out)
        out = F.leaky_relu(out, 0.2)
        return F.avg_pool2d(out, 2) if self.pool else out


class Discriminator(nn.Module):
    """Discriminator of one scale."""

    def __init__(self, params: DiscriminatorParams, num_kp: int, channels: int = 3) -> None:
        super().__init__()
        count = params.num_blocks
        inner = [min(params.max_features, params.block_expansion * 2 ** (i + 1)) for i in range(count)]
        widths = pairwise([channels + num_kp * params.use_kp, *inner])
        self.down_blocks = nn.ModuleList(
            DownBlock2d(a, b, norm=i > 0, pool=i < count - 1, sn=params.sn) for i, (a, b) in enumerate(widths)
        )
        self.conv = _convolution(inner[-1], 1, 1, params.sn)
        self.use_kp, self.kp_variance = params.use_kp, params.kp_variance

    def forward(self, picture: Tensor, points: Tensor) -> Verdict:
        """Judge pictures (B, C, H, W), of which `points` (B, K, 2) are the keypoints they should have."""
        out = picture
        if self.use_kp:
            out = torch.cat([picture, gaussian_heatmaps(points, picture, self.kp_variance).to(picture)], dim=1)
        features: list[Tensor] = []
        for block in self.down_blocks:
            out = block(out)
            features.append(out)
        return Verdict(features, self.conv(out))


class MultiScaleDiscriminator(nn.Module):
    """Discriminators at several scales, which know nothing of each other; keys are the published ones."""

    def __init__(self, params: DiscriminatorParams, num_kp: int, channels: int = 3) -> None:
        super().__init__()
        self.scales = params.scales
        self.discs = nn.ModuleDict({_key(scale): Discriminator(params, num_kp, channels) for scale in params.scales})

    def forward(self, pyramid: Mapping[float, Tensor], points: Tensor) -> list[Verdict]:
        """Judge pictures of every scale, as `ImagePyramid` makes them, by their keypoints (B, K, 2)."""
        return [self.discs[_key(scale)](pyramid[scale], points) for scale in self.scales]


def _key(scale: float) -> str:
    """Write a scale as the published code does, in which 1 is a whole number and names have no dots."""
    return f"{scale:g}".replace(".", "-")
