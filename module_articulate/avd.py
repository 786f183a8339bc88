"""Animation via disentanglement: the source's shape in the driving picture's pose (section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.layers.mlp import AVDNetwork
from ..core.types import Motion
from .config import AVDConfig
from .covariance import relative_frames
from .region_predictor import COVARIANCE

NUMBERS = 6  # to a region: x, y, and its affine row by row


class RegionAVDNetwork(AVDNetwork):
    """AVD network on regions."""

    def __init__(self, num_regions: int, config: AVDConfig) -> None:
        super().__init__(NUMBERS * num_regions, config.id_bottle_size, config.pose_bottle_size)

    def retarget(self, source: Motion, driving: Motion) -> Motion:
        """Give the shape of 1 source the poses of B driving pictures: B motions, with covariances A A^T.

        Only the source's affines are turned to the driving ones' side; the network knows the signs of the
        decomposition, so the driving ones stay as they are.
        """
        assert source.jacobians is not None and driving.jacobians is not None  # regions always have some
        _, sign = relative_frames(source.jacobians, driving.jacobians)
        points = source.points.expand_as(driving.points)
        decoded = self(rows(points, source.jacobians * sign), rows(driving.points, driving.jacobians))
        numbers = decoded.view(driving.points.shape[0], -1, NUMBERS)
        affine = numbers[..., 2:].reshape(driving.jacobians.shape)
        return Motion(numbers[..., :2], affine, {COVARIANCE: affine @ affine.mT})


def rows(points: Tensor, frames: Tensor) -> Tensor:
    """Join shifts (B, K, 2) and affines (B, K, 2, 2) as the network reads them: (B, 6K), region by region."""
    return torch.cat([points, frames.flatten(2)], dim=-1).flatten(1)
