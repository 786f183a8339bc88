"""Motion prior: a first dense flow from keypoints, as in FOMM (MRFA, section 3.1)."""

from __future__ import annotations

from torch import Tensor

from ..core.layers.dense_motion import DenseMotion, DenseMotionHead, candidate_motions
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import gaussian_heatmaps, heatmap_difference
from ..core.types import Motion
from .config import MRFAConfig


class DenseMotionNetwork(DenseMotionHead):
    """Dense motion that weighs K keypoint motions and the background's; the occlusion map is left in logits."""

    def __init__(self, config: MRFAConfig) -> None:
        motion = config.dense_motion
        super().__init__(
            config.num_kp,
            motion.block_expansion,
            motion.num_blocks,
            motion.max_features,
            motion.scale_factor,
            logits=True,
        )
        self.kp_variance = motion.kp_variance

    def heatmaps(self, small: Tensor, points: Tensor) -> Tensor:
        """Draw a Gaussian around every keypoint, at the size of the small source: (B, K, h, w)."""
        return gaussian_heatmaps(points, small, self.kp_variance)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion, background: Tensor | None) -> Tensor:
        """Evaluate T_k(z) = J_s J_d^-1 (z - p_d) + p_s, the background's motion first: (B, K+1, h, w, 2)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        return candidate_motions(grid, source, driving, background)

    def forward(
        self, small: Tensor, heatmaps: Tensor, source: Motion, driving: Motion, background: Tensor | None = None
    ) -> DenseMotion:
        """Find the flow from the shrunken source (1, 3, h, w), its heatmaps, its motion and B driving ones.

        `background` (B, 3, 3) moves what belongs to no keypoint; None holds it still.
        """
        difference = heatmap_difference(heatmaps, self.heatmaps(small, driving.points))
        return self.combine(small, difference, self.sparse_motions(small, source, driving, background))
