"""Dense flow and occlusion map from the motions of regions (section 3.3)."""

from __future__ import annotations

from torch import Tensor

from ..core.layers.dense_motion import DenseMotion, DenseMotionHead, local_motions, with_background
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import heatmap_difference
from ..core.types import Motion
from .config import ArticulateConfig
from .covariance import covariance_heatmaps, relative_frames
from .region_predictor import COVARIANCE


class PixelwiseFlowPredictor(DenseMotionHead):
    """Dense motion that weighs K region motions and the background's at every pixel."""

    def __init__(self, config: ArticulateConfig) -> None:
        params = config.pixelwise_flow_predictor
        super().__init__(
            config.num_regions,
            params.block_expansion,
            params.num_blocks,
            params.max_features,
            params.scale_factor,
            align_corners=config.align_corners,
        )

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Compute what depends on the source (1, 3, H, W) and its regions alone: `small`, its copy, and `heatmaps`."""
        small = self.down(source)
        return {"small": small, "heatmaps": self.heatmaps(small, motion)}

    def heatmaps(self, small: Tensor, motion: Motion) -> Tensor:
        """Draw Gaussians of the regions' own shapes: (B, K, h, w)."""
        return covariance_heatmaps(motion.points, motion.extra[COVARIANCE], small)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion, background: Tensor | None) -> Tensor:
        """Evaluate T_k(z) = A_s A_d^-1 (z - p_d) + p_s, the background's motion first: (B, K+1, h, w, 2)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        assert source.jacobians is not None and driving.jacobians is not None  # regions always have some
        relative, sign = relative_frames(source.jacobians, driving.jacobians)
        return with_background(grid, local_motions(grid, source.points, driving.points, relative * sign), background)

    def forward(
        self, small: Tensor, heatmaps: Tensor, source: Motion, driving: Motion, background: Tensor | None = None
    ) -> DenseMotion:
        """Find the flow from the small source (1 or B, 3, h, w), its heatmaps, its motion (1 or B) and B driving ones.

        `background` (B, 3, 3) moves what belongs to no region; None holds it still.
        """
        difference = heatmap_difference(heatmaps, self.heatmaps(small, driving))
        return self.combine(small, difference, self.sparse_motions(small, source, driving, background))
