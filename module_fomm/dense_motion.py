"""From sparse keypoint motion to a dense flow and an occlusion map (FOMM, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..core.layers.dense_motion import DenseMotion, DenseMotionHead, candidate_motions
from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import gaussian_heatmaps, heatmap_difference
from ..core.layers.hourglass import Hourglass
from ..core.types import Motion
from .config import FOMMConfig

PARTS = 2  # head and body


class PartsOfSource(nn.Module):
    """Ours: where the source's head and body are, for narrow networks, which take long to learn it on the way."""

    def __init__(self, config: FOMMConfig) -> None:
        super().__init__()
        motion = config.dense_motion
        maps = config.num_channels + config.num_kp
        self.hourglass = Hourglass(motion.block_expansion // 2, maps, motion.num_blocks, motion.max_features // 2)
        self.maps = nn.Conv2d(self.hourglass.out_features, PARTS, 3, padding=1)

    def forward(self, small: Tensor, gaussians: Tensor) -> Tensor:
        """The small source (B, 3, h, w), Gaussians at its keypoints (B, K, h, w) -> (B, 2, h, w) in [0, 1]."""
        features = self.hourglass(torch.cat([small, gaussians.to(small)], dim=1))
        return torch.sigmoid(self.maps(features).to(small.dtype))


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
            extra=PARTS if config.generator.skips else 0,
            estimate_occlusion=config.generator.estimate_occlusion_map,
            sigma=config.sigma,
            align_corners=config.align_corners,
        )
        self.kp_variance = motion.kp_variance
        self.parts = PartsOfSource(config) if config.generator.skips else None
        self.guides = config.num_kp + self.hourglass.out_features

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """What depends on the source (1 or B, 3, H, W) and its keypoints alone: `small`, the picture shrunk, in our
        own networks with its parts behind (3 or 5 maps), and its `heatmaps`.
        """
        small = self.down(source)
        heatmaps = self.heatmaps(small, motion)
        if self.parts is not None:
            small = torch.cat([small, self.parts(small, heatmaps)], dim=1)
        return {"small": small, "heatmaps": heatmaps}

    def heatmaps(self, small: Tensor, motion: Motion) -> Tensor:
        """A Gaussian around every keypoint, at the size of the small source: (B, K, h, w)."""
        return gaussian_heatmaps(motion.points, small, self.kp_variance)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """The background's motion, which is none, and every keypoint's: (B, K+1, h, w, 2)."""
        return candidate_motions(make_coordinate_grid(*small.shape[2:], like=driving.points), source, driving)

    def forward(self, encoded: Mapping[str, Tensor], source: Motion, driving: Motion) -> DenseMotion:
        """`encode`'s maps of the source (1 or B), its motion (1 or B) and the driving one (B) -> flow."""
        small = encoded["small"]
        motions = self.sparse_motions(small, source, driving)
        places = self.heatmaps(small, driving)
        features = self.features(small, heatmap_difference(encoded["heatmaps"], places), motions)
        motion = self.weighed(features, motions)
        if self.parts is None:
            return motion
        return replace(motion, guides=torch.cat([places.to(features), features], dim=1))
