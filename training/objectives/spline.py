"""Losses of the Thin-Plate Spline model (section 3.4), and its dropout of splines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from ...core.layers.background import BGMotionPredictor
from ...core.layers.heatmap import at_least_float32
from ...core.types import Motion
from ...module_spline.animator import SplineAnimator
from ...module_spline.dense_motion import DenseMotion, DenseMotionNetwork
from ...module_spline.inpainting import InpaintingNetwork, moved
from ...module_spline.keypoint_detector import KPDetector
from ..background import background_predictor
from ..data.batch import Batch
from ..draws import generator_for
from ..transform import PlateTransform
from .base import Comparison, Objective, Painted
from .params import SplineLossWeights, SplineSchedule

PURPOSE = 3  # first number of the streams of dropout, see `draws.generator_for`


class SplineObjective(Objective):
    """Keypoint detector, dense motion, inpainting and, with `background`, background predictor with their losses.

    The network for animation via disentanglement is trained by itself, later, and is not touched.
    """

    EQUIVARIANCE: ClassVar = {"equivariance_value": "equivariance_value"}
    TRANSFORM: ClassVar = PlateTransform

    kp_detector: KPDetector
    dense_motion_network: DenseMotionNetwork
    inpainting_network: InpaintingNetwork
    bg_predictor: BGMotionPredictor | None

    def __init__(
        self,
        animator: SplineAnimator,
        weights: SplineLossWeights,
        comparison: Comparison,
        schedule: SplineSchedule | None = None,
        *,
        background: bool = True,
        seed: int = 0,
    ) -> None:
        networks = {
            "kp_detector": animator.kp_detector,
            "dense_motion_network": animator.dense_motion_network,
            "inpainting_network": animator.inpainting_network,
            "bg_predictor": background_predictor(animator) if background else None,
        }
        super().__init__(networks, weights, comparison, aligned=True)
        self.weights, self.schedule, self.seed = weights, schedule or SplineSchedule(), seed
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Change the probability of dropout, and let the background move in time."""
        self.dropout = self.schedule.dropout(epoch)
        self.background_moves = self.bg_predictor is not None and epoch >= self.schedule.bg_start

    @property
    def resting(self) -> frozenset[str]:
        """Names of the networks that have no part in the losses of the present epoch, and get no gradient."""
        rests = self.bg_predictor is not None and not self.background_moves
        return frozenset({"bg_predictor"}) if rests else frozenset()

    def detect(self, picture: Tensor) -> Motion:
        """Detect the control points of pictures (B, 3, H, W)."""
        return Motion(self.kp_detector(picture))

    def kept(self, draws: Tensor) -> Tensor | None:
        """Draw the candidates that take part, from the samples' numbers (B): (B, num_tps + 1), or None for all."""
        if self.dropout is None:
            return None
        count = self.dense_motion_network.maps.out_channels
        rows = [torch.rand(count, generator=generator_for(self.seed, PURPOSE, int(draw))) for draw in draws]
        kept = torch.stack(rows) < 1 - self.dropout
        kept[:, 0] = True  # the background
        return kept

    def paint(self, batch: Batch, source: Motion, driving: Motion) -> Painted:
        """Predict the driving pictures from those splines that are not left out."""
        background, terms = self._background(batch)
        kept = self.kept(batch.draws)
        encoded = self.dense_motion_network.encode(batch.source, source.points)
        kept = None if kept is None else kept.to(batch.source.device)
        motion = self.dense_motion_network(encoded, source.points, driving.points, background, kept)
        features = self.inpainting_network.encode(batch.source)
        prediction = self.inpainting_network.decode(features, motion)
        if self.weights.warp_loss:
            terms["warp_loss"] = self.weights.warp_loss * self._warp_error(features, motion, batch.driving)
        outputs = {"deformation": motion.deformation, "occlusion_map": motion.occlusion_maps[-1]}
        return Painted(prediction, moved(batch.source, motion), terms, outputs)

    def _background(self, batch: Batch) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Find the background's motion (B, 3, 3); there and back again should be none."""
        if self.bg_predictor is None or not self.background_moves:
            return None, {}
        there = self.bg_predictor(batch.source, batch.driving)
        if not self.weights.bg:
            return there, {}
        product = there @ self.bg_predictor(batch.driving, batch.source)
        return there, {"bg": self.weights.bg * (torch.eye(3, device=product.device) - product).abs().mean()}

    def _warp_error(self, features: Mapping[str, Tensor], motion: DenseMotion, driving: Tensor) -> Tensor:
        """Compare the source's encoded maps, warped, with the driving picture's, both where the source shows.

        Only the flow learns from it (equation 13).
        """
        shown = replace(motion, occlusion_maps=[shown.detach() for shown in motion.occlusion_maps])
        source = {name: value.detach() for name, value in features.items()}
        with torch.no_grad():
            target = self.inpainting_network.encode(driving)
        errors: list[Tensor] = []
        for stage, mask in enumerate(shown.occlusion_maps):
            wanted = target[self.inpainting_network.key(stage)] * mask
            found = self.inpainting_network.warped(source, shown, stage)
            errors.append((at_least_float32(wanted) - found).abs().mean())
        return torch.stack(errors).sum()
