"""Motion of the background between two pictures, taken from the Thin-Plate Spline Motion Model (section 3 there)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.layers.matrix2x2 import homogeneous
from ..core.layers.resnet import ResNet18


class BGMotionPredictor(nn.Module):
    """Affine motion of the background, read off two pictures. `width` is that of the network's first layer."""

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.bg_encoder = ResNet18(2 * channels, 6, width)

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Map two pictures (B, 3, H, W) to matrices (B, 3, 3) on homogeneous coordinates, from driving to source."""
        affine = self.bg_encoder(torch.cat([source, driving], dim=1)).float().view(-1, 2, 3)
        return homogeneous(affine)
