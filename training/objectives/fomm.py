"""Losses of FOMM (section 3.3), in its configurations with a discriminator and without."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ...core.errors import InputError
from ...core.layers.heatmap import at_least_float32
from ...core.types import Motion
from ...module_fomm.animator import FOMMAnimator
from ...module_fomm.generator import OcclusionAwareGenerator
from ...module_fomm.keypoint_detector import KPDetector
from ..data.batch import Batch
from ..discriminator import MultiScaleDiscriminator
from .adversarial import DiscriminatorObjective
from .base import Comparison, Objective, Painted
from .params import DiscriminatorParams, FOMMLossWeights


class FOMMObjective(Objective):
    """Keypoint detector and generator with their losses.

    `discriminator_objective` is None with a weight `generator_gan` of 0. It is no submodule, for its parameters are
    moved, distributed and trained by themselves.
    """

    EQUIVARIANCE: ClassVar = {
        "equivariance_value": "equivariance_value",
        "equivariance_jacobian": "equivariance_jacobian",
    }

    kp_detector: KPDetector
    generator: OcclusionAwareGenerator

    def __init__(
        self,
        animator: FOMMAnimator,
        weights: FOMMLossWeights,
        comparison: Comparison,
        discriminator: DiscriminatorParams | None = None,
    ) -> None:
        networks = {"kp_detector": animator.kp_detector, "generator": animator.generator}
        super().__init__(networks, weights, comparison, animator.config.align_corners)
        self._critic = self._make_critic(animator, weights, discriminator)

    @staticmethod
    def _make_critic(
        animator: FOMMAnimator, weights: FOMMLossWeights, params: DiscriminatorParams | None
    ) -> tuple[DiscriminatorObjective, ...]:
        if not weights.generator_gan:
            return ()
        params = params or DiscriminatorParams()
        if any(weights.feature_matching) and len(weights.feature_matching) != params.num_blocks:
            raise InputError(
                f"has {len(weights.feature_matching)} weights for the discriminator's {params.num_blocks} blocks; "
                "one for each was wanted. Change one of the two.",
                "feature_matching",
            )
        config = animator.config
        critic = MultiScaleDiscriminator(params, config.num_kp, config.num_channels)
        return (DiscriminatorObjective(critic, weights),)

    @property
    def discriminator_objective(self) -> DiscriminatorObjective | None:
        """Other half of a step, with networks of its own."""
        return self._critic[0] if self._critic else None

    def detect(self, picture: Tensor) -> Motion:
        """Detect keypoints and jacobians of pictures (B, 3, H, W)."""
        return self.kp_detector(picture)

    def paint(self, batch: Batch, source: Motion, driving: Motion) -> Painted:
        """Predict the driving pictures, and have them judged."""
        prediction, motion = self.generator(batch.source, source, driving)
        prediction = at_least_float32(prediction)
        outputs = {"deformation": motion.deformation, "mask": motion.mask}
        if motion.occlusion_map is not None:
            outputs["occlusion_map"] = motion.occlusion_map
        terms: dict[str, Tensor] = {}
        for critic in self._critic:
            terms |= critic.generator_terms(prediction, batch.driving, driving.points)
        return Painted(prediction, self.generator.deformed(batch.source, motion), terms, outputs)
