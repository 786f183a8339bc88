"""Dense flow of all splines, and occlusion maps at every size (Thin-Plate Spline Motion Model, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.blocks import InstanceNorm, UpBlock2d
from ..core.layers.grid import flow_map, make_coordinate_grid, project, resize_map, warp_each
from ..core.layers.heatmap import at_least_float32, gaussian_heatmaps, heatmap_difference
from ..core.layers.hourglass import Hourglass
from ..core.types import FLOW, OCCLUSION
from .config import POINTS_PER_SPLINE, SplineConfig
from .thin_plate import fit


@dataclass(frozen=True, slots=True)
class DenseMotion:
    """Backward flow (B, h, w, 2), and an occlusion map (B, 1, ., .) in [0, 1] for each of the inpainting network's
    maps, coarsest first.
    """

    deformation: Tensor
    occlusion_maps: list[Tensor]

    def maps(self, size: tuple[int, int]) -> dict[str, Tensor]:
        """Name the flow and the finest occlusion map at the size of a picture, as `core.types.Mapped` has them."""
        return {
            FLOW: flow_map(self.deformation, size, align_corners=True, resize_aligned=True),
            OCCLUSION: resize_map(self.occlusion_maps[-1].float(), size, align_corners=True),
        }


class DenseMotionNetwork(nn.Module):
    """Dense motion that weighs the splines and a still background at every pixel."""

    def __init__(self, config: SplineConfig) -> None:
        super().__init__()
        motion, candidates = config.dense_motion, config.num_tps + 1
        features = config.num_points + 1 + candidates * config.num_channels
        self.hourglass = Hourglass(
            motion.block_expansion, features, motion.num_blocks, motion.max_features, InstanceNorm
        )
        finest = self.hourglass.out_features
        self.down = shrink(config.num_channels, motion.scale_factor)
        self.maps = nn.Conv2d(finest, candidates, 7, padding=3)
        fine = [finest // 2**i for i in range(config.doublings + 1)]
        self.up = nn.ModuleList(UpBlock2d(a, b, InstanceNorm) for a, b in pairwise(fine))
        self.from_pyramid = config.masks_from_hourglass
        coarse = [2 * min(motion.max_features, motion.block_expansion * 2**i) for i in range(1, self.from_pyramid)]
        self.occlusion = nn.ModuleList(nn.Conv2d(n, 1, 7, padding=3) for n in [*coarse[::-1], *fine])
        self.kp_variance = motion.kp_variance

    def encode(self, source: Tensor, points: Tensor) -> dict[str, Tensor]:
        """Compute what depends on the source (1, 3, H, W) and its keypoints: `small`, its copy, and `heatmaps`."""
        small = self.down(source)
        return {"small": small, "heatmaps": self.heatmaps(small, points)}

    def heatmaps(self, small: Tensor, points: Tensor) -> Tensor:
        """Draw a Gaussian around every keypoint, at the size of the small source: (B, K, h, w)."""
        return gaussian_heatmaps(points, small, self.kp_variance)

    def transformations(
        self, size: tuple[int, int], source: Tensor, driving: Tensor, background: Tensor | None = None
    ) -> Tensor:
        """Transform every position by each candidate, the background first: (B, num_tps + 1, h, w, 2).

        Keypoints are (1 or B, K, 2) and (B, K, 2); `background` (B, 3, 3) is None for one that stands still.
        """
        grid = make_coordinate_grid(*size, like=driving)
        batch, controls = driving.shape[0], by_spline(driving)
        targets = by_spline(source).expand(batch, -1, -1, -1)
        still = grid.expand(batch, *grid.shape) if background is None else project(background, grid)
        return torch.cat([still[:, None], fit(controls, targets)(grid)], dim=1)

    def hourglass_input(self, encoded: Mapping[str, Tensor], driving: Tensor, transformations: Tensor) -> Tensor:
        """Stack differences of heatmaps, an empty one first, and the source as each candidate warps it."""
        small = encoded["small"]
        heatmaps = heatmap_difference(encoded["heatmaps"], self.heatmaps(small, driving))
        pictures = warp_each(small, transformations.to(small), align_corners=True)  # (B, num_tps + 1, 3, h, w)
        return torch.cat([heatmaps.to(pictures), pictures.flatten(1, 2)], dim=1)

    def forward(
        self,
        encoded: Mapping[str, Tensor],
        source: Tensor,
        driving: Tensor,
        background: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> DenseMotion:
        """Find the flow from `encode`'s maps of the source (1 or B), its keypoints (1 or B) and driving ones (B).

        In training some of the candidates may be left out: those for which `kept` (B, num_tps + 1) is False.
        """
        height, width = encoded["small"].shape[2:]
        transformations = self.transformations((height, width), source, driving, background)
        pyramid = self.hourglass.pyramid(self.hourglass_input(encoded, driving, transformations))
        weights = contributions(at_least_float32(self.maps(pyramid[-1])), kept)
        deformation = (weights[..., None] * transformations).sum(dim=1)
        maps = pyramid[-self.from_pyramid :]
        for block in self.up:
            maps.append(block(maps[-1]))
        return DenseMotion(deformation, [torch.sigmoid(head(m)) for head, m in zip(self.occlusion, maps, strict=True)])


def contributions(logits: Tensor, kept: Tensor | None) -> Tensor:
    """Turn logits (B, N, h, w) into shares of the candidates, of which only those `kept` (B, N) take part.

    As published: shares that are left grow to make up for those left out, and their sum misses 1 by up to a millionth
    of what it was (equations 7 and 8).
    """
    if kept is None:
        return torch.softmax(logits, dim=1)
    shares = (logits - logits.amax(1, keepdim=True)).exp() * kept[:, :, None, None]
    return shares / (shares.sum(1, keepdim=True) + 1e-6)


def by_spline(points: Tensor) -> Tensor:
    """Group keypoints (B, K, 2), five after five: (B, num_tps, 5, 2)."""
    return points.view(points.shape[0], -1, POINTS_PER_SPLINE, 2)
