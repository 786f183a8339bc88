"""Generator, which warps the source's features by the keypoints' motion (FOMM, section 3.2)."""

from __future__ import annotations

from torch import Tensor

from ..core.layers.decoder import WarpingGenerator
from ..core.layers.dense_motion import DenseMotion
from ..core.types import Motion
from .config import FOMMConfig
from .dense_motion import DenseMotionNetwork


class OcclusionAwareGenerator(WarpingGenerator):
    """Warping generator, and its dense motion network."""

    def __init__(self, config: FOMMConfig, dense_motion: DenseMotionNetwork | None = None, skips: bool = False) -> None:
        params = config.generator
        super().__init__(
            params.block_expansion,
            params.max_features,
            params.num_down_blocks,
            params.num_bottleneck_blocks,
            skips=skips,
            channels=config.num_channels,
            align_corners=config.align_corners,
            separable=config.mobile_net,
        )
        self.dense_motion_network = dense_motion or DenseMotionNetwork(config)

    def forward(self, source: Tensor, kp_source: Motion, kp_driving: Motion) -> tuple[Tensor, DenseMotion]:
        """Do everything at once, as in training: predict pictures (B, 3, H, W) and dense motion from motions of B."""
        encoded = self.dense_motion_network.encode(source, kp_source)
        motion = self.dense_motion_network(encoded, kp_source, kp_driving)
        return self.decode(self.encode(source), motion), motion
