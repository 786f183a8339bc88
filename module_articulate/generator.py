"""Generator, which warps the source's features by the regions' motion at every scale (section 3.3)."""

from __future__ import annotations

from ..core.layers.decoder import WarpingGenerator
from .config import ArticulateConfig
from .flow_predictor import PixelwiseFlowPredictor


class Generator(WarpingGenerator):
    """Warping generator with skips, and its dense motion network."""

    def __init__(self, config: ArticulateConfig) -> None:
        params = config.generator
        super().__init__(
            params.block_expansion,
            params.max_features,
            params.num_down_blocks,
            params.num_bottleneck_blocks,
            skips=True,
            align_corners=config.align_corners,
        )
        self.pixelwise_flow_predictor = PixelwiseFlowPredictor(config)
