"""Motion of the background between two pictures (Thin-Plate Spline Motion Model, section 3; MRFA has it too)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .heatmap import at_least_float32
from .matrix2x2 import homogeneous
from .resnet import ResNet18


class BGMotionPredictor(nn.Module):
    """Affine motion of the background, read off two pictures. `width` is that of the network's first layer."""

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.bg_encoder = ResNet18(2 * channels, 6, width)
        assert self.bg_encoder.fc is not None
        nn.init.zeros_(self.bg_encoder.fc.weight)  # training starts from a background at rest
        self.bg_encoder.fc.bias.data.copy_(torch.eye(2, 3).flatten())

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Map two pictures (B, 3, H, W) to matrices (B, 3, 3) on homogeneous coordinates, from driving to source."""
        affine = self.bg_encoder(torch.cat([source, driving], dim=1))
        return homogeneous(at_least_float32(affine).view(-1, 2, 3))
