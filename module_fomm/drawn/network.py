"""Bundled network: FOMM's detector, with a dense motion network and a generator that stay sharp though narrow.

Beside FOMM's inputs, the dense motion network gets maps of the source's head and body. Warped features enter the
decoder at every scale, as in Articulated Animation, along a flow that is resized with its corners aligned (FOMM's own
resizing bends it by up to a pixel); residual blocks refine each blend; the bottleneck sees where the driving keypoints
are, and the warped source is blended into the picture by a predicted share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.layers.decoder import residual_blocks
from ...core.layers.dense_motion import DenseMotion
from ...core.layers.grid import resize_map
from ...core.layers.heatmap import heatmap_difference
from ...core.layers.hourglass import Hourglass
from ...core.types import Motion
from ..animator import FOMMAnimator
from ..dense_motion import DenseMotionNetwork
from ..generator import OcclusionAwareGenerator
from .config import SIZE, DrawnConfig

PARTS = 2  # head and body
REFINEMENTS = 2  # residual blocks behind every blend of warped skips


@dataclass(frozen=True, slots=True)
class GuidedMotion(DenseMotion):
    """Dense motion with `guides` (B, G, h, w), maps at the driving pose that condition the generator."""

    guides: Tensor


class PartsOfSource(nn.Module):
    """Predictor of where the source's head and body are, which narrow networks are slow to learn otherwise."""

    def __init__(self, config: DrawnConfig) -> None:
        super().__init__()
        motion = config.dense_motion
        maps = config.num_channels + config.num_kp
        self.hourglass = Hourglass(motion.block_expansion // 2, maps, motion.num_blocks, motion.max_features // 2)
        self.maps = nn.Conv2d(self.hourglass.out_features, PARTS, 3, padding=1)

    def forward(self, small: Tensor, gaussians: Tensor) -> Tensor:
        """Map the small source (B, 3, h, w) and Gaussians at its keypoints (B, K, h, w) to (B, 2, h, w) in [0, 1]."""
        features = self.hourglass(torch.cat([small, gaussians.to(small)], dim=1))
        return torch.sigmoid(self.maps(features).to(small.dtype))


class DrawnDenseMotionNetwork(DenseMotionNetwork):
    """FOMM's dense motion network, which also sees the source's parts, and returns its features as guides."""

    def __init__(self, config: DrawnConfig) -> None:
        super().__init__(config, extra=PARTS)
        self.parts = PartsOfSource(config)
        self.guides = config.num_kp + self.hourglass.out_features

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode as FOMM does; `small` has the parts behind its colours: (B, 5, h, w)."""
        encoded = super().encode(source, motion)
        small, heatmaps = encoded["small"], encoded["heatmaps"]
        return {"small": torch.cat([small, self.parts(small, heatmaps)], dim=1), "heatmaps": heatmaps}

    def forward(self, encoded: Mapping[str, Tensor], source: Motion, driving: Motion) -> GuidedMotion:
        """Find the flow from `encode`'s maps of the source (1 or B), its motion (1 or B) and the driving one (B)."""
        small = encoded["small"]
        motions = self.sparse_motions(small, source, driving)
        places = self.heatmaps(small, driving)
        features = self.features(small, heatmap_difference(encoded["heatmaps"], places), motions)
        motion = self.weighed(features, motions)
        guides = torch.cat([places.to(features), features], dim=1)
        return GuidedMotion(motion.deformation, motion.occlusion_map, motion.mask, guides)


class DrawnGenerator(OcclusionAwareGenerator):
    """FOMM's generator with warped skips, guides, refined blends and a learnt share of the warped source."""

    dense_motion_network: DrawnDenseMotionNetwork
    resize_aligned = True

    def __init__(self, config: DrawnConfig) -> None:
        super().__init__(config, DrawnDenseMotionNetwork(config), skips=True)
        first, inner = config.generator.block_expansion, self.widths[-1]
        self.blend = nn.Conv2d(first, 1, 7, padding=3)
        self.guide = nn.Conv2d(self.dense_motion_network.guides, inner, 3, padding=1)
        self.refine_blocks = nn.ModuleList(residual_blocks(width, REFINEMENTS) for width in self.widths[-2::-1])

    def decode(self, features: Mapping[str, Tensor], motion: DenseMotion) -> Tensor:
        """Paint pictures (B, 3, H, W) in [0, 1] from features of the source (1 or B) and dense motion (B)."""
        assert isinstance(motion, GuidedMotion)  # its own network makes no other
        height, width = features["encoded"].shape[2:]
        here = motion.at((height, width), self.resize_aligned)
        warped = here.move(features["encoded"], self.align_corners)
        guided = warped + self.guide(resize_map(motion.guides, (height, width), self.align_corners))
        out = here.fill(warped, self.bottleneck(guided))
        for depth, (block, refine) in enumerate(zip(self.up_blocks, self.refine_blocks, strict=True), 1):
            height, width = 2 * height, 2 * width
            here = motion.at((height, width), self.resize_aligned)
            out = refine(here.blend(self.skip(features, depth), block(out), self.align_corners))
        source = features["source"]
        picture = torch.sigmoid(self.final(out).to(source.dtype))
        share = torch.sigmoid(self.blend(out).to(source.dtype))
        return torch.lerp(picture, self.deformed(source, here), share)


class DrawnAnimator(FOMMAnimator):
    """FOMM's keypoint detector with the generator above; see `core.types.Animator`."""

    PIXEL_WIDTHS: ClassVar = 24
    generator: DrawnGenerator

    def __init__(self, config: DrawnConfig, size: int = SIZE) -> None:
        super().__init__(config, size, DrawnGenerator(config))
