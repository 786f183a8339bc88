"""From sparse keypoint motion to a dense flow and an occlusion map (FOMM, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.grid import make_coordinate_grid, warp
from ..core.layers.heatmap import gaussian_heatmaps
from ..core.layers.hourglass import Hourglass
from ..core.layers.linear_map import inverse_2x2
from ..core.types import Motion
from .config import FOMMConfig


@dataclass(frozen=True, slots=True)
class DenseMotion:
    """A backward flow (B, h, w, 2) and, if the model estimates it, visibility (B, 1, h, w) in [0, 1].

    `mask` (B, K+1, h, w) says how much of each candidate motion went into the flow; it sums to 1.
    """

    deformation: Tensor
    occlusion_map: Tensor | None
    mask: Tensor


class DenseMotionNetwork(nn.Module):
    """Weighs K keypoint motions and the background's against each other, at every pixel."""

    def __init__(self, config: FOMMConfig) -> None:
        super().__init__()
        motion = config.dense_motion
        candidates = config.num_kp + 1
        self.hourglass = Hourglass(
            motion.block_expansion, candidates * (config.num_channels + 1), motion.num_blocks, motion.max_features
        )
        self.mask = nn.Conv2d(self.hourglass.out_features, candidates, 7, padding=3)
        estimate = config.generator.estimate_occlusion_map
        self.occlusion = nn.Conv2d(self.hourglass.out_features, 1, 7, padding=3) if estimate else None
        self.down = shrink(config.num_channels, motion.scale_factor, config.sigma)
        self.kp_variance = motion.kp_variance
        self.align_corners = config.align_corners

    def heatmaps(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """Driving minus source Gaussians, an empty background first: (B, K+1, h, w)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        difference = gaussian_heatmaps(driving.points, grid, self.kp_variance)
        difference = difference - gaussian_heatmaps(source.points, grid, self.kp_variance)
        return torch.cat([torch.zeros_like(difference[:, :1]), difference], dim=1)

    def sparse_motions(self, small: Tensor, source: Motion, driving: Motion) -> Tensor:
        """T_0(z) = z and T_k(z) = J_s J_d^-1 (z - p_d) + p_s (equations 4 and 5): (B, K+1, h, w, 2)."""
        grid = make_coordinate_grid(*small.shape[2:], like=driving.points)
        moved = grid - driving.points[:, :, None, None, :]
        if source.frames is not None and driving.frames is not None:
            linear = source.frames @ inverse_2x2(driving.frames)
            moved = torch.einsum("bkij,bkhwj->bkhwi", linear, moved)
        moved = moved + source.points[:, :, None, None, :]
        return torch.cat([grid.expand(moved.shape[0], 1, *grid.shape), moved], dim=1)

    def deformed_sources(self, small: Tensor, motions: Tensor) -> Tensor:
        """The small source (1 or B, C, h, w) moved by every candidate: (B, K+1, C, h, w)."""
        batch, candidates = motions.shape[:2]
        repeated = small[:, None].expand(batch, candidates, *small.shape[1:])
        moved = warp(repeated.flatten(0, 1), motions.flatten(0, 1), self.align_corners)
        return moved.view(batch, candidates, *small.shape[1:])

    def forward(self, small: Tensor, source: Motion, driving: Motion) -> DenseMotion:
        """The shrunken source (1 or B, C, h, w), source motion (1 or B) and driving motion (B) -> flow."""
        heatmaps = self.heatmaps(small, source, driving)
        motions = self.sparse_motions(small, source, driving)
        pictures = self.deformed_sources(small, motions)
        # candidate by candidate: its heatmap, then its three colours
        features = self.hourglass(torch.cat([heatmaps[:, :, None].to(pictures), pictures], dim=2).flatten(1, 2))
        mask = torch.softmax(self.mask(features).float(), dim=1)
        deformation = (mask[..., None] * motions).sum(dim=1)
        occlusion = None if self.occlusion is None else torch.sigmoid(self.occlusion(features))
        return DenseMotion(deformation, occlusion, mask)
