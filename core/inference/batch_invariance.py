"""Make a network's result for a picture independent of how many pictures come with it.

On the CPU, libraries choose the kernel of a product by its size, kernels round their sums differently, and softmaxes
behind make that visible. Three things were found to depend on the batch (PyTorch 2.14, oneDNN 3.12, MKL 2024.2; AVX2
and AVX-512; 1, 2, 4 and 8 threads):

- convolutions of a single small map by kernels of up to 3x3, which PyTorch keeps from oneDNN: such a map is doubled;
- transposed convolutions by several threads, among which oneDNN divides the batch: maps go through one by one;
- matrix products, by few rows everywhere, by many with several threads: the products of a batch are taken one by one.

Graphs that are compiled or exported, which choose kernels of their own, and those that gradients are taken of are left
as they are.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from ..layers.antialias import AntiAliasInterpolation2d
from ..layers.matmul import MatMul
from .upsample_conv import PhasedConv2d

_Network = TypeVar("_Network", bound=nn.Module)

SMALL_MAP = 20480  # elements; up to here PyTorch convolves a single map by other kernels than oneDNN's,
SMALL_KERNEL = 3  # where these have so many rows and columns at most


def make_batch_invariant(network: _Network) -> _Network:
    """Exchange the classes of layers for batch-invariant ones, in place; the last step before a network is used.

    Weights, hooks and names stay. Layers of other classes than those in `CLASSES` are left alone.
    """
    for layer in network.modules():
        layer.__class__ = CLASSES.get(type(layer), type(layer))
    return network


def is_small_single(maps: Tensor) -> bool:
    """Tell whether maps (B, C, H, W) are one alone that PyTorch would give to another kernel than two of them."""
    return maps.shape[0] == 1 and maps.numel() <= SMALL_MAP and _matters(maps)


def _matters(x: Tensor) -> bool:
    return x.device.type == "cpu" and not x.requires_grad and not torch.compiler.is_compiling()


class _DoublesSingle(nn.Module):
    """Mixin for convolutions that doubles a single small map."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ., .)."""
        return super().forward(torch.cat([input, input]))[:1] if is_small_single(input) else super().forward(input)


class BatchInvariantConv2d(_DoublesSingle, nn.Conv2d):
    """Plain convolution."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, ., .)."""
        if min(self.kernel_size) > SMALL_KERNEL:
            return nn.Conv2d.forward(self, input)
        return super().forward(input)


class BatchInvariantPhasedConv2d(_DoublesSingle, PhasedConv2d):
    """Doubling and convolution in one."""


class BatchInvariantAntiAlias2d(_DoublesSingle, AntiAliasInterpolation2d):
    """Anti-aliased shrinking."""


class RowwiseConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution, map by map where several threads would share a batch."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (B, in, H, W) to (B, out, ., .)."""
        if input.shape[0] == 1 or not _matters(input) or torch.get_num_threads() == 1:
            return super().forward(input, output_size)
        rows = torch.split(input, 1)
        return torch.cat([super(RowwiseConvTranspose2d, self).forward(row, output_size) for row in rows])


class RowwiseGroupNorm(nn.GroupNorm):
    """Group norm, map by map where several threads would share a batch."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, C, ...) to the same shape."""
        if input.shape[0] == 1 or not _matters(input) or torch.get_num_threads() == 1:
            return super().forward(input)
        return torch.cat([super(RowwiseGroupNorm, self).forward(row) for row in torch.split(input, 1)])


class RowwiseLinear(nn.Linear):
    """Linear layer, one row of the first dimension after another."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, ..., in) to (B, ..., out)."""
        if input.shape[0] == 1 or not _matters(input):
            return super().forward(input)
        return torch.cat([super(RowwiseLinear, self).forward(row) for row in torch.split(input, 1)])


class RowwiseSigmoid(nn.Sigmoid):
    """Sigmoid, one row of the first dimension after another."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, ...) to the same shape."""
        if input.shape[0] == 1 or not _matters(input):
            return super().forward(input)
        return torch.cat([super(RowwiseSigmoid, self).forward(row) for row in torch.split(input, 1)])


class RowwiseMatMul(MatMul):
    """Matrix products, one after another, each into its place."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Multiply (B, n, k) by (1 or B, k, m): (B, n, m)."""
        if a.shape[0] == 1 or not _matters(a):
            return super().forward(a, b)
        out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
        for left, right, place in zip(a, b.expand(a.shape[0], -1, -1), out, strict=True):
            torch.mm(left, right, out=place)
        return out


CLASSES: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: BatchInvariantConv2d,
    PhasedConv2d: BatchInvariantPhasedConv2d,
    AntiAliasInterpolation2d: BatchInvariantAntiAlias2d,
    nn.ConvTranspose2d: RowwiseConvTranspose2d,
    nn.GroupNorm: RowwiseGroupNorm,
    nn.Linear: RowwiseLinear,
    nn.Sigmoid: RowwiseSigmoid,
    MatMul: RowwiseMatMul,
}
