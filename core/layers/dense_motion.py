"""Dense flow from the motions of sparse parts, as in FOMM (section 3.2) and Articulated Animation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..types import FLOW, OCCLUSION, Motion
from .antialias import shrink
from .blocks import head
from .grid import flow_map, project, resize_flow, resize_map, warp, warp_each
from .heatmap import at_least_float32
from .hourglass import Hourglass
from .matrix2x2 import inverse_2x2


@dataclass(frozen=True, slots=True)
class DenseMotionConfig:
    """`dense_motion_params` of FOMM and Thin-Plate Spline; the defaults are those of every published file."""

    block_expansion: int = 64
    max_features: int = 1024
    num_blocks: int = 5
    scale_factor: float = 0.25
    kp_variance: float = 0.01


PUBLISHED_DENSE_MOTION = DenseMotionConfig()


@dataclass(frozen=True, slots=True)
class DenseMotion:
    """Backward flow (B, h, w, 2) with an occlusion map (B, 1, h, w), if the model estimates it.

    The occlusion map is how visible every place is in the source, in [0, 1] (MRFA: its logits). `mask`
    (B, K+1, h, w) are the shares of the candidate motions in the flow; they sum to 1.
    """

    deformation: Tensor
    occlusion_map: Tensor | None
    mask: Tensor

    def at(self, size: tuple[int, int], align_corners: bool = False) -> DenseMotion:
        """Resize it for maps of another size; only with aligned corners does no motion stay exactly none."""
        occlusion = None if self.occlusion_map is None else resize_map(self.occlusion_map, size, align_corners)
        return replace(self, deformation=resize_flow(self.deformation, size, align_corners), occlusion_map=occlusion)

    def maps(
        self, size: tuple[int, int], align_corners: bool = False, resize_aligned: bool = False
    ) -> dict[str, Tensor]:
        """Name flow and occlusion map at the size of a picture, as `Mapped` has them; arguments are those of `warp`."""
        maps = {FLOW: flow_map(self.deformation, size, align_corners, resize_aligned)}
        if self.occlusion_map is not None:
            maps[OCCLUSION] = resize_map(self.occlusion_map.float(), size, resize_aligned)
        return maps

    def move(self, features: Tensor, align_corners: bool = False) -> Tensor:
        """Warp features (1 or B, C, h, w) by the flow, and dim them where the source shows nothing: m warp(f)."""
        return warp(features, self.deformation, align_corners, visibility=self.occlusion_map)

    def blend(self, features: Tensor, painted: Tensor, align_corners: bool = False) -> Tensor:
        """Compute `fill(move(features), painted)` in fewer passes over the maps."""
        moved = warp(features, self.deformation, align_corners)
        if self.occlusion_map is None:
            return moved + painted
        return torch.lerp(painted, moved.to(painted.dtype), self.occlusion_map.to(painted.dtype))

    def fill(self, moved: Tensor, painted: Tensor) -> Tensor:
        """Add painted features where moved ones are dim: m warp(f) + (1 - m) x; without m, their sum."""
        return moved + (painted if self.occlusion_map is None else painted * (1 - self.occlusion_map))


def local_motions(grid: Tensor, source: Tensor, driving: Tensor, linear: Tensor | None) -> Tensor:
    """Evaluate z -> R_k (z - p_d) + p_s at every position of a grid (h, w, 2): (B, K, h, w, 2).

    `source` and `driving` (1 or B, K, 2) are a part's places, `linear` (B, K, 2, 2) its R; None is identity.
    """
    moved = grid - driving[:, :, None, None, :]
    if linear is not None:
        moved = torch.einsum("bkij,bkhwj->bkhwi", linear, moved)
    return moved + source[:, :, None, None, :]


def candidate_motions(grid: Tensor, source: Motion, driving: Motion, background: Tensor | None = None) -> Tensor:
    """Evaluate T_0, and T_k(z) = J_s J_d^-1 (z - p_d) + p_s (FOMM, equations 4 and 5): (B, K+1, h, w, 2).

    `background` (B, 3, 3) is T_0; None is T_0(z) = z.
    """
    linear = None
    if source.jacobians is not None and driving.jacobians is not None:
        linear = source.jacobians @ inverse_2x2(driving.jacobians)
    return with_background(grid, local_motions(grid, source.points, driving.points, linear), background)


def with_background(grid: Tensor, moved: Tensor, background: Tensor | None) -> Tensor:
    """Put the background's motion before those of K parts (B, K, h, w, 2): (B, K+1, h, w, 2).

    `background` (B, 3, 3) moves the grid (h, w, 2) projectively; None holds it still.
    """
    rest = grid if background is None else project(background, grid)[:, None]
    return torch.cat([rest.expand(moved.shape[0], 1, *grid.shape), moved], dim=1)


def blended(motions: Tensor, mask: Tensor) -> Tensor:
    """Average candidate motions (B, N, h, w, 2) by maps (B, N, h, w) that sum to 1: a flow (B, h, w, 2)."""
    return (mask[..., None] * motions).sum(dim=1)


class DenseMotionHead(nn.Module):
    """Base of the dense motion networks: weighs K parts' motions and the background's at every pixel.

    It works on a small picture, which has `extra` maps behind its colours. With `logits`, the occlusion map is left
    as it is before its sigmoid.
    """

    def __init__(
        self,
        parts: int,
        block_expansion: int,
        num_blocks: int,
        max_features: int,
        scale_factor: float,
        *,
        channels: int = 3,
        extra: int = 0,
        estimate_occlusion: bool = True,
        sigma: float | None = None,
        align_corners: bool = False,
        logits: bool = False,
        separable: bool = False,
    ) -> None:
        super().__init__()
        candidates = parts + 1
        maps = candidates * (channels + extra + 1)
        self.hourglass = Hourglass(block_expansion, maps, num_blocks, max_features, separable=separable)
        features = self.hourglass.out_features
        self.mask = head(features, candidates, stacked=separable)
        self.occlusion = head(features, 1, stacked=separable) if estimate_occlusion else None
        self.down = shrink(channels, scale_factor, sigma)
        self.align_corners = align_corners
        self.logits = logits

    def deformed_sources(self, small: Tensor, motions: Tensor) -> Tensor:
        """Warp the small source (1 or B, C, h, w) by every candidate motion: (B, K+1, C, h, w)."""
        return warp_each(small, motions, self.align_corners)

    def combine(self, small: Tensor, heatmaps: Tensor, motions: Tensor) -> DenseMotion:
        """Find the flow from the small source (1 or B, C, h, w), heatmaps (B, K+1, h, w) and motions of candidates."""
        return self.weighed(self.features(small, heatmaps, motions), motions)

    def features(self, small: Tensor, heatmaps: Tensor, motions: Tensor) -> Tensor:
        """Run the hourglass on all candidates side by side: (B, `hourglass.out_features`, h, w)."""
        pictures = self.deformed_sources(small, motions)
        # candidate by candidate: its heatmap, then its colours
        return self.hourglass(torch.cat([heatmaps[:, :, None].to(pictures), pictures], dim=2).flatten(1, 2))

    def weighed(self, features: Tensor, motions: Tensor) -> DenseMotion:
        """Find the flow from the hourglass's features and the candidates' motions (B, K+1, h, w, 2)."""
        mask = torch.softmax(at_least_float32(self.mask(features)), dim=1)
        deformation = blended(motions, mask)
        occlusion = None if self.occlusion is None else self.occlusion(features)
        if occlusion is not None and not self.logits:
            occlusion = torch.sigmoid(occlusion)
        return DenseMotion(deformation, occlusion, mask)
