"""Keypoints, and the expression read around them (section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import expected_point, spatial_softmax
from ..core.layers.hourglass import Hourglass
from ..core.layers.matmul import MatMul
from ..core.layers.mlp import MLP
from .config import FSRTConfig

KERNEL = 7


@dataclass(frozen=True, slots=True)
class Detection:
    """Keypoints (B, K, 2), their heatmaps (B, K, h, w) and the features (B, C, h + 6, w + 6) they were found in."""

    points: Tensor
    heatmap: Tensor
    features: Tensor


class KPDetector(nn.Module):
    """Keypoint detector, which also gives what its keypoints were found in.

    The heatmap is three cells smaller than the feature map on every side, and its own grid still spans [-1, 1]:
    a constant stretch that the weights were trained with.
    """

    def __init__(self, config: FSRTConfig) -> None:
        super().__init__()
        params = config.detector
        self.temperature = params.temperature
        self.predictor = Hourglass(params.block_expansion, 3, params.num_blocks, params.max_features)
        self.kp = nn.Conv2d(self.predictor.out_features, config.num_kp, KERNEL)
        self.down = shrink(3, params.scale_factor)

    def forward(self, image: Tensor) -> Detection:
        """Detect keypoints in pictures (B, 3, H, W) in [0, 1]."""
        features = self.predictor(self.down(image))
        heatmap = spatial_softmax(self.kp(features).float(), self.temperature)
        points = expected_point(heatmap, make_coordinate_grid(*heatmap.shape[2:], like=heatmap))
        return Detection(points, heatmap, features)


class ExpressionEncoder(nn.Module):
    """Encoder of a face's expression: all it does beyond where its keypoints are."""

    def __init__(self, config: FSRTConfig, in_features: int) -> None:
        super().__init__()
        latent = config.num_kp * config.expression_per_kp
        self.expression = nn.Conv2d(in_features, latent, KERNEL)
        self.product = MatMul()
        self.expression_mlp = MLP([latent, 2 * latent, 4 * latent, 2 * latent, config.expression_size], norm=False)

    def latent(self, detection: Detection) -> Tensor:
        """Average the convolution's maps under the heatmaps, each keypoint's own maps: (B, K * per_kp).

        The heatmap is correlated with the features first, and the kernels applied to that: the same sums,
        as all of it is linear and a heatmap sums to 1, with a thirtieth of the work.
        """
        heatmap, weight = detection.heatmap, self.expression.weight
        batch, points = heatmap.shape[:2]
        patches = F.unfold(detection.features.float(), KERNEL)  # (B, C * 49, h * w)
        pooled = self.product(patches, heatmap.flatten(2).mT)  # (B, C * 49, K)
        kernels = weight.float().reshape(points, -1, patches.shape[1])  # (K, per_kp, C * 49)
        # plain sums: a product's rounding depends on the size of the batch
        found = (kernels * pooled.mT.unsqueeze(2)).sum(-1).view(batch, -1)
        return found if self.expression.bias is None else found + self.expression.bias.float()

    def forward(self, detection: Detection) -> Tensor:
        """Encode the expressions of detections of B faces: (B, expression_size)."""
        return self.expression_mlp(self.latent(detection))
