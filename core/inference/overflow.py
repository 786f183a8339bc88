"""Notice when a network overflows, without waiting for the device that it runs on.

Infinities need not show: sigmoids turn them into white or black, rectifiers into zero. So they are looked for in what
the layers put out, before anything can hide them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .small_output_conv import FoldedConv2d, SmallOutputConv2d
from .upsample_conv import PhasedConv2d

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, PhasedConv2d, SmallOutputConv2d, FoldedConv2d)


class OverflowWatch:
    """Sum of all that a network's layers put out: not finite from the first infinity or NaN on."""

    def __init__(self, network: nn.Module) -> None:
        self.total = torch.zeros(())  # a scalar on the layers' device, once they have run
        layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
        self._handles: list[RemovableHandle] = [layer.register_forward_hook(self._add) for layer in layers]

    def _add(self, layer: nn.Module, args: object, output: Tensor) -> None:
        if self.total.device != output.device:
            with torch.inference_mode(False):  # else it could be added to in that mode alone
                self.total = self.total.to(output.device)
        # In float32, which no sum of what float16 can hold leaves; and in its place, where recorded passes add to it.
        self.total.add_(output.detach().sum(dtype=torch.float32))

    def remove(self) -> None:
        """Let the layers run unwatched from now on."""
        for handle in self._handles:
            handle.remove()
