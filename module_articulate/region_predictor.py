"""Regions with local frames from their heatmaps' covariances, learnt without labels (section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import at_least_float32, expected_point, spatial_softmax
from ..core.layers.hourglass import Hourglass
from ..core.types import Motion
from .config import ArticulateConfig
from .covariance import expected_covariance, square_root

COVARIANCE = "covar"  # in a motion's `extra`


class RegionPredictor(nn.Module):
    """Detector of the centres, covariances and affine frames of K regions.

    With `pad` 0 the heatmap is six cells smaller than the feature map on either side, and its own grid still
    spans [-1, 1]; the weights must be run with the `pad` they were trained with.
    """

    def __init__(self, config: ArticulateConfig) -> None:
        super().__init__()
        params = config.region_predictor
        self.temperature = params.temperature
        self.predictor = Hourglass(params.block_expansion, 3, params.num_blocks, params.max_features)
        self.regions = nn.Conv2d(self.predictor.out_features, config.num_regions, 7, padding=params.pad)
        self.down = shrink(3, params.scale_factor)

    def forward(self, image: Tensor) -> Motion:
        """Map pictures (B, 3, H, W) in [0, 1] to shifts (B, K, 2), affines (B, K, 2, 2) and, as extra, covariances."""
        logits = self.regions(self.predictor(self.down(image)))
        heatmap = spatial_softmax(at_least_float32(logits), self.temperature)
        grid = make_coordinate_grid(*heatmap.shape[2:], like=heatmap)
        shift = expected_point(heatmap, grid)
        covariance = expected_covariance(heatmap, shift, grid)
        return Motion(shift, square_root(covariance), {COVARIANCE: covariance})
