"""How the background moves between two pictures (Thin-Plate Spline Motion Model, section 3; MRFA's is the same)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .resnet import ResNet18


class BGMotionPredictor(nn.Module):
    """Two pictures -> the affine motion of what is behind. `width` is that of the network's first layer."""

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.bg_encoder = ResNet18(2 * channels, 6, width)

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Two of (B, 3, H, W) -> homogeneous matrices (B, 3, 3), from the driving picture's places to the source's."""
        affine = self.bg_encoder(torch.cat([source, driving], dim=1)).float().view(-1, 2, 3)
        return torch.cat([affine, affine.new_tensor([0, 0, 1]).expand(len(affine), 1, 3)], dim=1)
