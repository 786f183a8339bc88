"""The four convolution blocks of the first-order family (FOMM, supplementary section A).

Keys in a state dict: `conv.*`, `norm.*`; `conv1`, `conv2`, `norm1`, `norm2` in the residual block. The
published networks use a BatchNorm synchronised between devices; plain `BatchNorm2d` has the same
parameters and, in evaluation, the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]

InstanceNorm = partial(nn.InstanceNorm2d, affine=True)  # each picture's own statistics, so it cannot be tiled


class SameBlock2d(nn.Module):
    """Convolution, norm and ReLU at one resolution."""

    FOLDS = (("conv", "norm"),)  # here and elsewhere: layers and the norms right behind them; `core.inference.rewrites`

    def __init__(self, in_features: int, out_features: int, kernel_size: int = 7, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, out_features, kernel_size, padding=kernel_size // 2)
        self.norm = norm(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        return F.relu(self.norm(self.conv(x)), inplace=not self.training)


class DownBlock2d(SameBlock2d):
    """3x3 convolution, norm, ReLU and 2x2 average pooling."""

    def __init__(self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H/2, W/2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock2d(SameBlock2d):
    """Nearest-neighbour doubling, 3x3 convolution, norm and ReLU."""

    def __init__(self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, 2H, 2W)."""
        return super().forward(self.up(x))


class ResBlock2d(nn.Module):
    """Pre-activation residual block: norm, ReLU and convolution, twice; then the input is added."""

    FOLDS = (("conv1", "norm2"),)

    def __init__(self, features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = norm(features)
        self.norm2 = norm(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, features, H, W) to the same shape."""
        inplace = not self.training
        out = self.conv1(F.relu(self.norm1(x), inplace=inplace))
        out = self.conv2(F.relu(self.norm2(out), inplace=inplace))
        return out.add_(x) if inplace else out + x
