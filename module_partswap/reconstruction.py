"""Reconstruction: move the source's features to the target's pose, and paint both (section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..core.layers.decoder import WarpingGenerator
from ..core.layers.dense_motion import DenseMotion, blended, candidate_motions
from ..core.layers.grid import make_coordinate_grid
from ..core.types import Motion
from ..module_fomm.dense_motion import DenseMotionNetwork
from .config import PartSwapConfig
from .segmentation import SEGMENTS


class ReconstructionModule(WarpingGenerator):
    """FOMM's generator, with a flow from the segments or from FOMM's own network."""

    def __init__(self, config: PartSwapConfig) -> None:
        params = config.reconstruction_module
        super().__init__(
            params.block_expansion,
            params.max_features,
            params.num_down_blocks,
            params.num_bottleneck_blocks,
            skips=False,
            channels=config.num_channels,
            align_corners=config.align_corners,
        )
        self.estimate_visibility = params.estimate_visibility
        self.dense_motion_network = DenseMotionNetwork(config.fomm) if config.first_order else None

    def motion(self, source: Motion, target: Motion, encoded: Mapping[str, Tensor]) -> DenseMotion:
        """Find the flow and occlusion map from the poses of the source (1 or B) and of B targets.

        `encoded` has, where FOMM's network tells the motion, what that made of the source.
        """
        if self.dense_motion_network is not None:
            return self.dense_motion_network(encoded, source, target)
        here, there = target.extra[SEGMENTS], source.extra[SEGMENTS]
        grid = make_coordinate_grid(*here.shape[2:], like=here)
        flow = blended(candidate_motions(grid, source, target), here)
        return DenseMotion(flow, visibility(there, here) if self.estimate_visibility else None, here)


def visibility(source: Tensor, target: Tensor) -> Tensor:
    """Compute 1 - F_s (1 - F_t) of segments (1 or B, K+1, h, w) and (B, K+1, h, w), F being all but the background.

    Both are taken at the same pixel: the source's segments are not warped. Returns (B, 1, h, w).
    """
    front, cover = (segments[:, 1:].sum(dim=1, keepdim=True) for segments in (source, target))
    return 1 - front * (1 - cover)
