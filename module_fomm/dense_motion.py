"""Dense flow and occlusion map from the motions of keypoints (FOMM, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..core.layers.dense_motion import DenseMotion, DenseMotionHead, candidate_motions
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import gaussian_heatmaps, heatmap_difference
from ..core.types import Motion
from .config import FOMMConfig


class DenseMotionNetwork(DenseMotionHead):
    """Dense motion that weighs K keypoint motions and the background's at every pixel."""

    def __init__(self, config: FOMMConfig, extra: int = 0) -> None:
        motion = config.dense_motion
        super().__init__(
            config.num_kp,
            motion.block_expansion,
            motion.num_blocks,
            motion.max_features,
            motion.scale_factor,
            channels=config.num_channels,
            extra=extra,
            estimate_occlusion=config.generator.estimate_occlusion_map,
            sigma=config.sigma,
            align_corners=config.align_corners,
            separable=config.mobile_net,
        )
        self.kp_variance = motion.kp_variance

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Work out what depends on the source (1 or B, 3, H, W) and its keypoints alone: the picture shrunk, `small`,
        and its `heatmaps`.
        """
        small = self.down(source)
        return {"small": small, "heatmaps": self.heatmaps(small, motion)}

    def heatmaps(self, small: Tensor, motion: Motion) -> Tensor:
        """Draw a Gaussian around every keypoint, at the size of the small source: (B, K, h, w)."""
        return gaussian_heatmaps(motion.points, small, self.kp_variance)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """Return the background's motion, which is none, and every keypoint's: (B, K+1, h, w, 2)."""
        return candidate_motions(make_coordinate_grid(*small.shape[2:], like=driving.points), source, driving)

    def forward(self, encoded: Mapping[str, Tensor], source: Motion, driving: Motion) -> DenseMotion:
        """Find the flow from `encode`'s maps of the source (1 or B), its motion (1 or B) and the driving one (B)."""
        small = encoded["small"]
        difference = heatmap_difference(encoded["heatmaps"], self.heatmaps(small, driving))
        return self.combine(small, difference, self.sparse_motions(small, source, driving))
