"""Losses of one step, for whatever architecture: reconstruction of the driving picture, and equivariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ...core.layers.heatmap import at_least_float32
from ...core.types import Motion
from ..data.batch import Batch
from ..losses import equivariance, gradient_l1, pyramid_l1
from ..perceptual import VGG19, PerceptualDistance
from ..transform import Transform, TransformParams
from .distillation import Teacher
from .params import SCALES, ReconstructionWeights

PIXEL_WEIGHTS = {"pyramid": 10.0, "gradient": 10.0, "warped": 5.0}
"""Weights of the losses that stand in for the perceptual one where there is no VGG19."""


class Losses(NamedTuple):
    """Losses by their published names, weighted already; and pictures, points and jacobians behind them, detached."""

    terms: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """Sum of the terms, to be minimised."""
        return torch.stack([*self.terms.values()]).sum()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ways of comparing pictures that all architectures share: at `scales`, by the features of `vgg` or, without it, by
    pixels; the spread of the transforms of the equivariance loss; and a `teacher` to be like, or None."""

    vgg: VGG19 | None = None
    scales: tuple[float, ...] = SCALES
    transform_params: TransformParams = field(default_factory=TransformParams)
    teacher: Teacher | None = None


@dataclass(frozen=True, slots=True)
class Painted:
    """Predicted pictures (B, 3, H, W), the warped sources, and what else came of painting them.

    `terms` are weighted losses of the architecture's own, `outputs` maps to look at.
    """

    prediction: Tensor
    deformed: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    outputs: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def in_full(self) -> Painted:
        """Convert the pictures to float32, if networks of fewer bits painted them: the losses are sums of many."""
        prediction, deformed = (at_least_float32(picture) for picture in (self.prediction, self.deformed))
        return replace(self, prediction=prediction, deformed=deformed)


class Objective(nn.Module):
    """Networks of one architecture together with their losses: one forward is one step, and can be distributed.

    An architecture implements `detect` and `paint`, and says in EQUIVARIANCE what it calls the losses of points and of
    jacobians, in TRANSFORM which kind of transform it learns them with. Its networks become submodules, under the names
    that published checkpoints have for them. `aligned` is the convention of sampling transformed pictures.
    """

    EQUIVARIANCE: ClassVar[Mapping[str, str]]
    TRANSFORM: ClassVar[type[Transform]] = Transform
    UNSIGNED_FRAMES: ClassVar[bool] = False

    def __init__(
        self,
        networks: Mapping[str, nn.Module | None],
        weights: ReconstructionWeights,
        comparison: Comparison,
        aligned: bool,
    ) -> None:
        super().__init__()
        for name, network in networks.items():
            self.register_module(name, network)
        self._names = tuple(name for name, network in networks.items() if network is not None)
        self.transform_params, self.aligned = comparison.transform_params, aligned
        self.perceptual = None if comparison.vgg is None else PerceptualDistance(comparison.vgg, comparison.scales)
        self.perceptual_weights = weights.perceptual
        self.teacher = comparison.teacher
        self.equivariance_weights = {term: float(getattr(weights, name)) for term, name in self.EQUIVARIANCE.items()}

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Networks that are trained, by their published names."""
        return {name: self.get_submodule(name) for name in self._names}

    @property
    def resting(self) -> frozenset[str]:
        """Names of the networks that have no part in the losses of the present epoch, and get no gradient."""
        return frozenset()

    @property
    def metadata(self) -> dict[str, str]:
        """Facts that a checkpoint should tell about how it was trained."""
        facts = {"reconstruction_loss": "pixels (no VGG19)" if self.perceptual is None else "perceptual (VGG19)"}
        return facts if self.teacher is None else facts | {"distilled_from": self.teacher.params.teacher.name}

    def begin_epoch(self, epoch: int) -> None:
        """Change what depends on the epoch, counted from 0."""

    def transform_for(self, draws: Tensor, seed: int, device: torch.device) -> Transform:
        """Draw the transforms of a batch's samples, from the run's seed and their numbers (B)."""
        return self.TRANSFORM.for_draws(draws, seed, self.transform_params, device)

    def detect(self, picture: Tensor) -> Motion:
        """Read the poses of pictures (B, 3, H, W)."""
        raise NotImplementedError

    def paint(self, batch: Batch, source: Motion, driving: Motion) -> Painted:
        """Predict the driving pictures of a batch from its sources."""
        raise NotImplementedError

    def forward(self, batch: Batch, transform: Transform) -> Losses:
        """Compute the losses of a batch (FOMM, section 3.3)."""
        # one after the other, for each call has batch statistics of its own
        source, driving = self.detect(batch.source), self.detect(batch.driving)
        painted = self.paint(batch, source, driving).in_full()
        terms = self._reconstruction(painted, batch.driving) | dict(painted.terms)
        if self.teacher is not None:
            terms |= self.teacher.losses(batch, painted.prediction, source, driving)
        motions = {"kp_source": source, "kp_driving": driving}
        outputs = {"prediction": painted.prediction, "deformed": painted.deformed, **painted.outputs}
        if any(self.equivariance_weights.values()):
            outputs["transformed_frame"] = transform.picture(batch.driving, self.aligned)
            motions["transformed_kp"] = moved = self.detect(outputs["transformed_frame"])
            errors = equivariance(driving, moved, transform, self.UNSIGNED_FRAMES)
            for term, weight in self.equivariance_weights.items():
                if weight and term in errors:
                    terms[self.EQUIVARIANCE[term]] = weight * errors[term]
        outputs |= _described(motions)
        return Losses(terms, {name: value.detach() for name, value in outputs.items()})

    def _reconstruction(self, painted: Painted, driving: Tensor) -> dict[str, Tensor]:
        """Compare what was painted with the driving pictures."""
        if self.perceptual is None:
            even = torch.ones_like(driving[:, :1])
            errors = {
                "pyramid": pyramid_l1(painted.prediction, driving, even),
                "gradient": gradient_l1(painted.prediction, driving, even),
                "warped": pyramid_l1(painted.deformed, driving, even),  # a short way from the pixels to the keypoints
            }
            return {name: PIXEL_WEIGHTS[name] * value for name, value in errors.items()}
        if not any(self.perceptual_weights):
            return {}
        distances = self.perceptual(painted.prediction, driving)  # (scales, layers)
        return {"perceptual": (distances * distances.new_tensor(self.perceptual_weights)).sum()}


def _described(motions: Mapping[str, Motion]) -> dict[str, Tensor]:
    """Name the tensors of motions: points as the motion is, jacobians with `.jacobian` behind."""
    described = {name: motion.points for name, motion in motions.items()}
    jacobians = ((name, motion.jacobians) for name, motion in motions.items())
    return described | {f"{name}.jacobian": value for name, value in jacobians if value is not None}
