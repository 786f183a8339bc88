"""Convolutions of many channels into very few, such as the generators' last.

A CPU computes 16 output channels in the time of one. Each convolution here makes a square of neighbouring pixels at
once, as so many channels: more multiplications, fewer of them idle.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

LANES = 16
SIDES = {1: 4, 2: 2, 3: 2, 4: 2}  # of the square, by output channels


class SmallOutputConv2d(nn.Module):
    """Convolution at one resolution into 1 to 4 channels."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.side = SIDES[conv.out_channels]
        self.padding = conv.kernel_size[0] // 2
        self.weight = nn.Parameter(_shifted(conv.weight, self.side), requires_grad=False)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.repeat_interleave(self.side**2), False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W), of the weights' type."""
        height, width = input.shape[2:]
        below, right = -height % self.side, -width % self.side
        padded = F.pad(input, (0, right, 0, below)) if below or right else input
        squares = F.conv2d(padded.to(self.weight.dtype), self.weight, self.bias, stride=self.side, padding=self.padding)
        return F.pixel_shuffle(squares, self.side)[:, :, :height, :width]


def is_small_output(conv: nn.Conv2d) -> bool:
    """Tell whether `SmallOutputConv2d` can stand in for a convolution, and pays."""
    sizes = conv.kernel_size
    same = isinstance(conv.padding, tuple) and conv.padding == (sizes[0] // 2, sizes[0] // 2)
    square = sizes[0] == sizes[1] and sizes[0] % 2 == 1 and sizes[0] >= 5
    usual = conv.stride == (1, 1) and conv.dilation == (1, 1) and conv.groups == 1 and conv.padding_mode == "zeros"
    return same and square and usual and conv.out_channels in SIDES and conv.in_channels >= LANES


def _shifted(weight: Tensor, side: int) -> Tensor:
    """Copy a kernel (out, in, k, k) to every place in the square: (out * side^2, in, k + side - 1, k + side - 1)."""
    out, channels, size, _ = weight.shape
    kernel = weight.new_zeros(out, side, side, channels, size + side - 1, size + side - 1)
    for row in range(side):
        for column in range(side):
            kernel[:, row, column, :, row : row + size, column : column + size] = weight.detach()
    return kernel.flatten(0, 2)
