"""From sparse keypoint motion to a dense flow and an occlusion map (FOMM, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.layers.dense_motion import DenseMotion, DenseMotionHead, local_motions, with_background
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import gaussian_heatmaps
from ..core.layers.linear_map import inverse_2x2
from ..core.types import Motion
from .config import FOMMConfig


class DenseMotionNetwork(DenseMotionHead):
    """Weighs K keypoint motions and the background's against each other, at every pixel."""

    def __init__(self, config: FOMMConfig) -> None:
        motion = config.dense_motion
        super().__init__(
            config.num_kp,
            motion.block_expansion,
            motion.num_blocks,
            motion.max_features,
            motion.scale_factor,
            channels=config.num_channels,
            estimate_occlusion=config.generator.estimate_occlusion_map,
            sigma=config.sigma,
            align_corners=config.align_corners,
        )
        self.kp_variance = motion.kp_variance

    def heatmaps(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """Driving minus source Gaussians, an empty background first: (B, K+1, h, w)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        difference = gaussian_heatmaps(driving.points, grid, self.kp_variance)
        difference = difference - gaussian_heatmaps(source.points, grid, self.kp_variance)
        return torch.cat([torch.zeros_like(difference[:, :1]), difference], dim=1)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """T_0(z) = z and T_k(z) = J_s J_d^-1 (z - p_d) + p_s (equations 4 and 5): (B, K+1, h, w, 2)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        linear = None
        if source.frames is not None and driving.frames is not None:
            linear = source.frames @ inverse_2x2(driving.frames)
        return with_background(grid, local_motions(grid, source.points, driving.points, linear))

    def forward(self, small: Tensor, source: Motion, driving: Motion) -> DenseMotion:
        """The shrunken source (1 or B, C, h, w), source motion (1 or B) and driving motion (B) -> flow."""
        heatmaps = self.heatmaps(small, source, driving)
        return self.combine(small, heatmaps, self.sparse_motions(small, source, driving))
