"""Motion of the background between two pictures (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.layers.hourglass import Encoder
from ..core.layers.matrix2x2 import homogeneous
from .config import BGPredictorConfig


class BGMotionPredictor(nn.Module):
    """Predictor of the affine map from driving to source coordinates, for two pictures of one video.

    Published animation leaves it out, for the camera of another video says nothing of the source's
    background; only reconstruction of the source's own video uses it.
    """

    def __init__(self, config: BGPredictorConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.block_expansion, 6, config.num_blocks, config.max_features)
        width = min(config.max_features, config.block_expansion * 2**config.num_blocks)
        self.fc = nn.Linear(width, 6)
        nn.init.zeros_(self.fc.weight)  # training starts from a background at rest
        self.fc.bias.data.copy_(torch.eye(2, 3).flatten())

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Map two pictures (B, 3, H, W) to matrices (B, 3, 3) on homogeneous coordinates."""
        features = self.encoder(torch.cat([source.expand_as(driving), driving], dim=1))[-1]
        affine = self.fc(features.mean(dim=(2, 3))).view(-1, 2, 3)
        return homogeneous(affine)
