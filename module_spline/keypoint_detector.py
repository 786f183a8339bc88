"""Keypoints read off whole pictures (Thin-Plate Spline Motion Model, section 3)."""

from __future__ import annotations

from torch import Tensor, nn

from ..core.layers.heatmap import at_least_float32
from ..core.layers.resnet import ResNet18
from .config import SplineConfig


class KPDetector(nn.Module):
    """Detector of the control points of every spline, five after five."""

    def __init__(self, config: SplineConfig) -> None:
        super().__init__()
        self.fg_encoder = ResNet18(config.num_channels, 2 * config.num_points, config.width)
        self.sigmoid = nn.Sigmoid()

    def forward(self, image: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) in [0, 1] to points (B, 5 num_tps, 2) in [-1, 1]."""
        numbers = at_least_float32(self.fg_encoder(image))
        return (2 * self.sigmoid(numbers) - 1).view(numbers.shape[0], -1, 2)
