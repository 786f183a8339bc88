"""Refinement of flow and occlusion map, from coarse to fine, by matching structures (MRFA, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.dense_motion import DenseMotion
from ..core.layers.grid import resize_map, warp
from ..core.layers.heatmap import gaussian_heatmaps
from ..core.layers.hourglass import Hourglass
from .config import MRFAConfig
from .correlation import LEVELS, SAMPLES, CorrBlock, CorrVolume, pixel_grid, pyramid_of, sample
from .generator import OcclusionAwareGenerator

STRUCTURE_VARIANCE = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """Refinement at one scale: flows (B, 2, n, n) in pixels before and after, occlusion map (B, 1, n, n) in [0, 1]."""

    before: Tensor
    flow: Tensor
    occlusion: Tensor


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    """Apply a convolution and a ReLU."""
    return F.relu(conv(x))


class BasicMotionEncoder(nn.Module):
    """Encoder of the correlations along a flow and of the flow itself, which is its last two channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        costs, flow = 3 * width // 4, width // 2
        self.convc1 = nn.Conv2d(SAMPLES, width, 1)
        self.convc2 = nn.Conv2d(width, costs, 3, padding=1)
        self.convf1 = nn.Conv2d(2, width, 7, padding=3)
        self.convf2 = nn.Conv2d(width, flow, 3, padding=1)
        self.conv = nn.Conv2d(costs + flow, width - 2, 3, padding=1)

    def forward(self, flow: Tensor, matches: Tensor) -> Tensor:
        """Map a flow (B, 2, n, n) and correlations (B, SAMPLES, h, w) to (B, width, n, n).

        Published code resizes the correlations before `convc1`; a 1x1 convolution may as well come first.
        """
        height, width = flow.shape[2:]
        costs = F.relu(resize_map(self.convc1(matches), (height, width), align_corners=True))
        both = torch.cat([convolved(self.convc2, costs), convolved(self.convf2, convolved(self.convf1, flow))], dim=1)
        return torch.cat([convolved(self.conv, both), flow], dim=1)


class RefineFlow(nn.Module):
    """Predictor of the change of the flow and of the occlusion map's logits."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(context, width, 3, padding=1)
        self.conv1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)
        self.convo1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.convo2 = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, motion: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, width, n, n) and (B, context, n, n) to changes (B, 2, n, n) in pixels and (B, 1, n, n)."""
        x = torch.cat([motion, convolved(self.convc1, context)], dim=1)
        flow = self.conv2(convolved(self.conv1, x))
        return flow.float(), self.convo2(convolved(self.convo1, x)).float()


class RaftFlow(nn.Module):
    """Structure encoders, refinement and generator. `encode` depends on the source alone."""

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        sizes = config.structure
        self.pos_embedding = nn.Parameter(torch.zeros(1, config.num_kp, config.side, config.side))
        self.generator = OcclusionAwareGenerator(config)
        self.kp, self.kp_img = (
            Hourglass(sizes.block_expansion, features, sizes.num_blocks, sizes.max_features)
            for features in (config.num_kp, config.num_kp + 3)
        )
        self.kp_head = nn.Conv2d(self.kp.out_features, sizes.dim, 1)
        self.kp_img_head = nn.Conv2d(self.kp_img.out_features, sizes.dim, 1)
        self.corr_volume = CorrVolume()
        self.sigmoid = nn.Sigmoid()
        self.corr_enc = BasicMotionEncoder(config.refine_width)
        self.refine = RefineFlow(config.refine_width, config.context)
        self.to_context = nn.ModuleList(nn.Conv2d(width, config.context, 1) for width in config.generator.widths[::-1])

    def structure(self, points: Tensor) -> Tensor:
        """Draw Gaussians of keypoints (B, K, 2) and add the learnt embedding of every place: (B, K, h, w)."""
        return gaussian_heatmaps(points, self.pos_embedding, STRUCTURE_VARIANCE) + self.pos_embedding

    def encode(self, source: Tensor, small: Tensor, points: Tensor) -> dict[str, Tensor]:
        """Compute all that depends on the source (1, 3, H, W), also shrunken (1, 3, h, w), and its keypoints alone.

        `feature0`, `feature1`, ... from coarse to fine; `context0`, ...: those of them that have more channels than
        the context made of them, turned into it without its bias; `key0`, ...: its structure at every level.
        """
        features: dict[str, Tensor] = {}
        for stage, feature in enumerate(self.generator.encode(source)):
            features[f"feature{stage}"] = feature
            projection = self.projection(stage)
            if projection.in_channels > projection.out_channels:
                features[f"context{stage}"] = F.conv2d(feature, projection.weight)
        structure = torch.cat([self.structure(points).to(small), small], dim=1)
        keys = pyramid_of(self.kp_img_head(self.kp_img(structure)))
        return features | {f"key{level}": key for level, key in enumerate(keys)}

    def projection(self, stage: int) -> nn.Conv2d:
        """Return the layer that makes the context of a stage's features."""
        layer = self.to_context[stage]
        assert isinstance(layer, nn.Conv2d)
        return layer

    def queries(self, points: Tensor) -> Tensor:
        """Encode the structure of driving keypoints (B, K, 2): (B, dim, h, w)."""
        return self.kp_head(self.kp(self.structure(points).to(self.kp_head.weight)))

    def context(self, features: Mapping[str, Tensor], stage: int, flow: Tensor) -> Tensor:
        """Sample the source's context along a flow (B, 2, n, n): (B, context, n, n)."""
        projection, projected = self.projection(stage), features.get(f"context{stage}")
        if projected is None:
            return convolved(projection, sample(features[f"feature{stage}"], flow))
        assert projection.bias is not None
        return F.relu(sample(projected, flow) + projection.bias[:, None, None])

    def steps(self, features: Mapping[str, Tensor], points: Tensor, prior: DenseMotion) -> Iterator[Step]:
        """Refine the prior by `encode`'s maps of the source and driving keypoints (B, K, 2): a step for every stage."""
        assert prior.occlusion_map is not None
        queries, keys = self.queries(points), [features[f"key{level}"] for level in range(LEVELS)]
        side = queries.shape[-1]
        grid = pixel_grid(side, side, like=prior.deformation)
        start = (side - 1) * (prior.deformation.movedim(-1, 1) + 1) / 2 - grid
        block: CorrBlock | None = None
        flow_change = occlusion_change = torch.zeros((), device=start.device)
        last = len(self.to_context) - 1
        for stage in range(last + 1):
            size = features[f"feature{stage}"].shape[-1]
            flow = resized(start, size) * (size / side) + flow_change
            occlusion = resized(prior.occlusion_map.float(), size) + occlusion_change
            coarse = min(size, side)  # the side of the lookup
            if block is None or block.width != coarse:
                block = self.corr_volume(F.adaptive_avg_pool2d(queries, coarse) if coarse < side else queries, keys)
            if size > side:
                centre = resized(flow, side) * (side / size) + grid
            else:
                centre = (flow + pixel_grid(size, size, like=flow)) * (side / size)
            motion = self.corr_enc(flow, block.lookup(centre))
            flow_update, occlusion_update = self.refine(motion, self.context(features, stage, flow))
            yield Step(flow, flow + flow_update, self.sigmoid(occlusion + occlusion_update))
            if stage < last:
                flow_change = 2 * resized(flow_change + flow_update, 2 * size)
                occlusion_change = resized(occlusion_change + occlusion_update, 2 * size)

    def forward(self, features: Mapping[str, Tensor], points: Tensor, prior: DenseMotion) -> tuple[Tensor, Step]:
        """Paint pictures (B, 3, H, W) in [0, 1] from `encode`'s maps, driving keypoints (B, K, 2) and their prior.

        Returns the last refinement, too, which is at the pictures' size.
        """
        painted: Tensor | None = None
        last = len(self.to_context) - 1
        for stage, step in enumerate(self.steps(features, points, prior)):
            feature = features[f"feature{stage}"]
            moved = sample(feature, step.flow) * step.occlusion
            painted = moved if painted is None else moved + painted * (1 - step.occlusion)
            if stage == last:
                picture = torch.sigmoid(self.generator.final(painted).to(features["source"].dtype))
                return torch.lerp(picture, sample(features["source"], step.before), step.occlusion), step
            coarse = warp(feature, prior.deformation, resize_aligned=True)
            painted = self.generator.decoded(stage, torch.cat([painted, coarse], dim=1))
        raise AssertionError  # there is always a last stage


def resized(maps: Tensor, size: int) -> Tensor:
    """Resize maps (B, C, n, n) to another side, bilinear, corners aligned."""
    return resize_map(maps, (size, size), align_corners=True)
