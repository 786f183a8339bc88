"""The four convolution blocks of the first-order family (FOMM, supplementary section A).

Keys in a state dict: `conv.*`, `norm.*`; `conv1`, `conv2`, `norm1`, `norm2` in the residual block. The
published networks use a BatchNorm synchronised between devices; plain `BatchNorm2d` has the same
parameters and, in evaluation, the same result.

`separable` blocks are those of PaddleGAN's mobile FOMM: convolutions by channel, and 1x1 ones between channels
(`conv1`, `norm1`), without biases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]

InstanceNorm = partial(nn.InstanceNorm2d, affine=True)  # each picture's own statistics, so it cannot be tiled


class SameBlock2d(nn.Module):
    """Convolution, norm and ReLU at one resolution; `separable`, twice so, by channel and then 1x1."""

    # here and elsewhere: layers and the norms right behind them; `core.inference.rewrites`
    FOLDS = (("conv", "norm"), ("conv1", "norm1"))

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int = 7,
        norm: Norm = nn.BatchNorm2d,
        *,
        separable: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        inner, groups = (in_features, in_features) if separable else (out_features, 1)
        bias = bias and not separable
        self.conv = nn.Conv2d(in_features, inner, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias)
        self.norm = norm(inner)
        self.conv1 = nn.Conv2d(in_features, out_features, 1, bias=False) if separable else None
        self.norm1 = norm(out_features) if separable else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        inplace = not self.training
        out = F.relu(self.norm(self.conv(x)), inplace=inplace)
        if self.conv1 is None or self.norm1 is None:
            return out
        return F.relu(self.norm1(self.conv1(out)), inplace=inplace)


class DownBlock2d(SameBlock2d):
    """3x3 convolution, norm, ReLU and 2x2 average pooling."""

    def __init__(
        self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d, *, separable: bool = False
    ) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm, separable=separable)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H/2, W/2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock2d(SameBlock2d):
    """Nearest-neighbour doubling, 3x3 convolution, norm and ReLU."""

    def __init__(
        self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d, *, separable: bool = False
    ) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm, separable=separable)
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


class SeparableResBlock2d(nn.Module):
    """Residual block of PaddleGAN's mobile FOMM: norm and ReLU, then 1x1 to twice the channels, 3x3 by channel, and 1x1
    back, each with a norm behind; the input is added.
    """

    FOLDS = (("conv_pw", "norm_pw"), ("conv_dw", "norm_dw"), ("conv_pw_linear", "norm_pw_linear"))

    def __init__(self, features: int) -> None:
        super().__init__()
        inner = 2 * features
        self.conv_pw = nn.Conv2d(features, inner, 1, bias=False)
        self.conv_dw = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.conv_pw_linear = nn.Conv2d(inner, features, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(features)
        self.norm_pw = nn.BatchNorm2d(inner)
        self.norm_dw = nn.BatchNorm2d(inner)
        self.norm_pw_linear = nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, features, H, W) to the same shape."""
        inplace = not self.training
        out = self.norm_pw(self.conv_pw(F.relu(self.norm1(x), inplace=inplace)))
        out = F.relu(self.norm_dw(self.conv_dw(out)), inplace=inplace)
        out = self.norm_pw_linear(self.conv_pw_linear(out))
        return out.add_(x) if inplace else out + x


def head(features: int, out: int, padding: int | None = None, *, stacked: bool = False, relu: bool = True) -> nn.Module:
    """Make a network's last layer: a 7x7 convolution or, `stacked`, three 3x3 ones that see as far (with `relu`, ReLUs
    between), each of that padding, by default the one that keeps the size.
    """
    if padding is None:
        padding = 1 if stacked else 3
    if not stacked:
        return nn.Conv2d(features, out, 7, padding=padding)
    widths = (features, features, features, out)
    layers = [nn.Conv2d(a, b, 3, padding=padding) for a, b in pairwise(widths)]
    if not relu:
        return nn.Sequential(*layers)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
