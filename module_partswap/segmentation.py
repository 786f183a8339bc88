"""Parts with a place, a local linear map and a soft segment each, learnt without labels (section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import expected_frame, expected_point, spatial_softmax
from ..core.layers.hourglass import Hourglass
from ..core.types import Motion
from .config import PartSwapConfig

SEGMENTS = "segments"  # in a motion's `extra`
PADDING = 3  # FOMM's detector pads by 0, so that its weights see other positions here


class SegmentationModule(nn.Module):
    """Detector of K parts: FOMM's keypoint detector, with a head for segments."""

    def __init__(self, config: PartSwapConfig) -> None:
        super().__init__()
        params, parts = config.segmentation_module, config.num_segments
        self.temperature = params.temperature
        self.predictor = Hourglass(params.block_expansion, config.num_channels, params.num_blocks, params.max_features)
        width = self.predictor.out_features
        self.shift = nn.Conv2d(width, parts, 7, padding=PADDING)
        self.affine = nn.Conv2d(width, 4 * parts, 7, padding=PADDING) if config.estimate_affine_part else None
        self.segmentation = nn.Conv2d(width, parts + 1, 7, padding=PADDING) if config.has_segments else None
        self.down = shrink(config.num_channels, params.scale_factor, config.sigma)

    def forward(self, image: Tensor) -> Motion:
        """Map pictures (B, 3, H, W) in [0, 1] to shifts (B, K, 2), affines (B, K, 2, 2) and segments (B, K+1, h, w).

        Segments, in `extra`, sum to 1 at every place; the first is the background.
        """
        features = self.predictor(self.down(image))
        heatmap = spatial_softmax(self.shift(features).float(), self.temperature)
        shift = expected_point(heatmap, make_coordinate_grid(*heatmap.shape[2:], like=heatmap))
        affine = None if self.affine is None else expected_frame(heatmap, self.affine(features).float())
        if self.segmentation is None:
            return Motion(shift, affine)
        return Motion(shift, affine, {SEGMENTS: torch.softmax(self.segmentation(features).float(), dim=1)})
