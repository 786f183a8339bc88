"""Losses of Articulated Animation (section 3.4)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ...core.types import Motion
from ...module_articulate.animator import ArticulateAnimator
from ...module_articulate.background import BGMotionPredictor
from ...module_articulate.generator import Generator
from ...module_articulate.region_predictor import RegionPredictor
from ..background import background_predictor
from ..data.batch import Batch
from .base import Comparison, Objective, Painted
from .params import ArticulateLossWeights


class ArticulateObjective(Objective):
    """Region predictor, generator and, where the configuration has one, background predictor with their losses.

    The network for animation via disentanglement is trained by itself, later, and is not touched.
    """

    EQUIVARIANCE: ClassVar = {
        "equivariance_value": "equivariance_shift",
        "equivariance_jacobian": "equivariance_affine",
    }
    UNSIGNED_FRAMES: ClassVar = True

    region_predictor: RegionPredictor
    generator: Generator
    bg_predictor: BGMotionPredictor | None

    def __init__(self, animator: ArticulateAnimator, weights: ArticulateLossWeights, comparison: Comparison) -> None:
        networks = {
            "region_predictor": animator.region_predictor,
            "generator": animator.generator,
            "bg_predictor": background_predictor(animator),
        }
        super().__init__(networks, weights, comparison, animator.config.align_corners)

    def detect(self, picture: Tensor) -> Motion:
        """Predict the regions of pictures (B, 3, H, W)."""
        return self.region_predictor(picture)

    def paint(self, batch: Batch, source: Motion, driving: Motion) -> Painted:
        """Predict the driving pictures, behind which the background moves."""
        background = None if self.bg_predictor is None else self.bg_predictor(batch.source, batch.driving)
        flow = self.generator.pixelwise_flow_predictor
        encoded = flow.encode(batch.source, source)
        motion = flow(encoded["small"], encoded["heatmaps"], source, driving, background)
        prediction = self.generator.decode(self.generator.encode(batch.source), motion)
        outputs = {"deformation": motion.deformation, "mask": motion.mask}
        if motion.occlusion_map is not None:
            outputs["occlusion_map"] = motion.occlusion_map
        return Painted(prediction, self.generator.deformed(batch.source, motion), {}, outputs)
