"""Convolutions of many channels into very few, such as the generators' last, for which libraries have no kernel.

A CPU computes 16 output channels in the time of one: `SmallOutputConv2d` makes a square of neighbouring pixels at once,
as so many channels: more multiplications, fewer of them idle. On an NVIDIA H100, cuDNN's float32 kernels take 2 to 13
times as long as `FoldedConv2d`, one matrix product by all taps at once, whose results are shifted and added up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LANES = 16
FOLDED_BYTES = 2**24  # of products at once, which are many times the result
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


class FoldedConv2d(nn.Module):
    """Convolution at one resolution into 1 to 4 channels, of CUDA devices."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.size = conv.kernel_size[0]
        taps = conv.weight.detach().flip(2, 3).permute(0, 2, 3, 1)  # turned: results move to where they are added
        self.weight = nn.Parameter(taps.flatten(0, 2).contiguous(), requires_grad=False)  # (out * k^2, in)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach()[:, None, None], False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W), of the weights' type."""
        each = self.weight.element_size() * self.weight.shape[0] * input.shape[2:].numel()
        return torch.cat([self._folded(part) for part in torch.split(input, max(1, FOLDED_BYTES // each))])

    def _folded(self, input: Tensor) -> Tensor:
        pixels = input.to(self.weight.dtype).permute(0, 2, 3, 1).flatten(1, 2)
        products = torch.matmul(self.weight, pixels.mT)  # (B, out * k^2, H * W)
        result = F.fold(products, input.shape[2:], self.size, padding=self.size // 2)
        return result if self.bias is None else result.add_(self.bias)


def small_output_conv(conv: nn.Conv2d, device: torch.device) -> nn.Module:
    """Make an equal layer of a convolution that `is_small_output`."""
    return FoldedConv2d(conv) if device.type == "cuda" else SmallOutputConv2d(conv)


def is_small_output(conv: nn.Conv2d, device: torch.device) -> bool:
    """Tell whether `small_output_conv` has a layer for a convolution that pays on a device."""
    sizes = conv.kernel_size
    same = isinstance(conv.padding, tuple) and conv.padding == (sizes[0] // 2, sizes[0] // 2)
    square = sizes[0] == sizes[1] and sizes[0] % 2 == 1 and sizes[0] >= (3 if device.type == "cuda" else 5)
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
