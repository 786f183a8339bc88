"""The four convolution blocks of the first-order family (FOMM, supplementary section A).

Keys in a state dict: `conv.*`, `norm.*`; `conv1`, `conv2`, `norm1`, `norm2` in the residual block. The
published networks use a BatchNorm synchronised between devices; plain `BatchNorm2d` has the same
parameters and, in evaluation, the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]

InstanceNorm = partial(nn.InstanceNorm2d, affine=True)  # each picture's own statistics, so it cannot be tiled

SMALL_INPUT = 20480  # elements; below it PyTorch takes another CPU kernel for a batch of one


def batch_invariant(conv: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A convolution whose result for a picture does not depend on how many come with it.

    On the CPU, PyTorch gives a single small map to another kernel than a batch of them; its sums round
    differently, and softmaxes behind make that visible. Doubling such a map keeps to one kernel.
    """
    if x.shape[0] == 1 and x.numel() <= SMALL_INPUT and x.device.type == "cpu" and not x.requires_grad:
        return conv(torch.cat([x, x]))[:1]
    return conv(x)


class SameBlock2d(nn.Module):
    """Convolution, norm, ReLU; keeps the resolution."""

    FOLDS = (("conv", "norm"),)  # here and elsewhere: layers and the norms right behind them; `core.inference_form`

    def __init__(self, in_features: int, out_features: int, kernel_size: int = 7, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, out_features, kernel_size, padding=kernel_size // 2)
        self.norm = norm(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W)."""
        return F.relu(self.norm(batch_invariant(self.conv, x)), inplace=not self.training)


class DownBlock2d(SameBlock2d):
    """3x3 convolution, norm, ReLU, then 2x2 average pooling."""

    def __init__(self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H/2, W/2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock2d(SameBlock2d):
    """Nearest-neighbour doubling, 3x3 convolution, norm, ReLU."""

    def __init__(self, in_features: int, out_features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__(in_features, out_features, kernel_size=3, norm=norm)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, 2H, 2W)."""
        return super().forward(self.up(x))


class ResBlock2d(nn.Module):
    """Pre-activation residual block: norm, ReLU, convolution, twice; then the input is added."""

    FOLDS = (("conv1", "norm2"),)

    def __init__(self, features: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = norm(features)
        self.norm2 = norm(features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W), unchanged in shape."""
        inplace = not self.training
        out = self.conv1(F.relu(self.norm1(x), inplace=inplace))
        out = self.conv2(F.relu(self.norm2(out), inplace=inplace))
        return out.add_(x) if inplace else out + x
