"""Rewrite a loaded network, once, into an equal one that runs faster.

Works on any module tree: norms are folded where a block names them in `FOLDS` and in every `nn.Sequential`; the other
rewrites replace single layers by what they are. The result is for inference only, and is not for saving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..layers.blocks import ResBlock2d, UpBlock2d
from .small_output_conv import is_small_output, small_output_conv
from .upsample_conv import upsample_conv
from .winograd import WinogradConv2d

_Block = TypeVar("_Block", bound=nn.Module)

FUSES: dict[type, Callable[..., nn.Module]] = {nn.Conv2d: fuse_conv_bn_eval, nn.Linear: fuse_linear_bn_eval}
WIDE = 128  # channels from which on `WinogradConv2d` pays


@dataclass(frozen=True, slots=True)
class Form:
    """Choice of rewrites; `tests/benchmarks/forms.py` measures each. All off is the plain, published form.

    `fold`: batch norms into the layers before them. `upsample_conv`: doubling and convolution as one step.
    `channels_last`: weights in the layout of the maps. `winograd`: wide residual convolutions. `small_output_conv`:
    convolutions into 1 to 4 channels. `group_norm`: instance norms by the kernel that reads channels last.
    """

    fold: bool = True
    upsample_conv: bool = True
    channels_last: bool = True
    winograd: bool = True
    small_output_conv: bool = True
    group_norm: bool = True


def form_for(device: torch.device, dtype: torch.dtype = torch.float32) -> Form:
    """Choose the rewrites that pay on a device where heavy layers run in `dtype`.

    The last three make up for kernels that PyTorch lacks, on CUDA those into few channels alone. Winograd's is for
    float32 only: with fewer bits its differences round too coarsely.
    """
    cpu = device.type == "cpu"
    few = device.type in ("cpu", "cuda")
    return Form(winograd=cpu and dtype == torch.float32, small_output_conv=few, group_norm=cpu)


@torch.no_grad()
def rewrite(network: nn.Module, device: torch.device, form: Form) -> None:
    """Bring a network in evaluation mode into the form, in place, for running on `device`."""
    if form.fold:
        for block, layer, norm in [*_foldable(network)]:
            _fold(block, layer, norm)
    if form.upsample_conv:
        for block in _every(network, UpBlock2d):
            if block.conv.groups > 1:
                continue  # by channel there is little to multiply, and nothing to save
            block.register_module("conv", upsample_conv(block.conv, device))
            block.register_module("up", nn.Identity())
    if form.winograd:
        for block in _every(network, ResBlock2d):
            if min(block.conv1.in_channels, block.conv1.out_channels) >= WIDE:
                block.register_module("conv1", WinogradConv2d(block.conv1))
                block.register_module("conv2", WinogradConv2d(block.conv2))
    for parent in [*network.modules()]:
        for name, layer in [*parent.named_children()]:
            if form.small_output_conv and type(layer) is nn.Conv2d and is_small_output(layer, device):
                setattr(parent, name, small_output_conv(layer, device))
            elif form.group_norm and type(layer) is nn.InstanceNorm2d and not layer.track_running_stats:
                setattr(parent, name, _as_group_norm(layer))
    network.requires_grad_(False)
    if form.channels_last:
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _foldable(network: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Find blocks, and in them the names of a layer and of the batch norm right behind it."""
    for block in network.modules():
        pairs = [*getattr(block, "FOLDS", ())]
        if isinstance(block, nn.Sequential):
            pairs += pairwise(name for name, _ in block.named_children())
        for layer, norm in pairs:
            if type(getattr(block, layer)) in FUSES and isinstance(getattr(block, norm), _BatchNorm):
                yield block, layer, norm


def _fold(block: nn.Module, layer: str, norm: str) -> None:
    before, behind = getattr(block, layer), getattr(block, norm)
    setattr(block, layer, FUSES[type(before)](before, behind))
    setattr(block, norm, nn.Identity())


def _every(network: nn.Module, kind: type[_Block]) -> list[_Block]:
    return [module for module in network.modules() if isinstance(module, kind)]


def _as_group_norm(norm: nn.InstanceNorm2d) -> nn.GroupNorm:
    """Make the equal group norm, with a group for every channel."""
    group = nn.GroupNorm(norm.num_features, norm.num_features, norm.eps, norm.affine)
    group.weight, group.bias = norm.weight, norm.bias
    return group
