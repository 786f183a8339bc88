"""One training step of a FOMM: from a sample to its losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor, nn

from ..core.types import Motion
from ..module_fomm.animator import FOMMAnimator
from ..module_fomm.dense_motion import DenseMotion
from .drawn.pairs import Sample
from .losses import LossWeights, Perceptual, equivariance, gradient_l1, landmark_loss, pixel_weights, pyramid_l1
from .transform import Transform


def training_losses(
    model: FOMMAnimator,
    sample: Sample,
    transform: Transform,
    weights: LossWeights,
    motion_only: bool = False,
    perceptual: Perceptual | None = None,
) -> dict[str, Tensor]:
    """All losses of one step, unweighted, by name. With `motion_only` the generator paints nothing."""
    kp_source, kp_driving = model.kp_detector(sample.source), model.kp_detector(sample.driving)
    moved = model.kp_detector(transform.picture(sample.driving))
    motion = dense_motion(model, sample.source, kp_source, kp_driving)
    losses = warping_losses(model, sample, motion, weights)
    if not motion_only:
        prediction = model.generator.decode(model.generator.encode(sample.source), motion)
        losses |= painting_losses(prediction, sample, weights, perceptual)
    if sample.truth is not None:
        losses["landmarks"] = landmark_loss(kp_driving, sample.truth)
    return {**losses, **equivariance(kp_driving, moved, transform)}


def dense_motion(model: FOMMAnimator, source: Tensor, kp_source: Motion, kp_driving: Motion) -> DenseMotion:
    """The flow from every driving to its source picture."""
    network = model.generator.dense_motion_network
    return network(network.down(source), kp_source, kp_driving)


def warping_losses(model: FOMMAnimator, sample: Sample, motion: DenseMotion, weights: LossWeights) -> dict[str, Tensor]:
    """Compares the driving picture with the source moved by the flow alone: a short way to the keypoints."""
    warped = model.generator.deformed(sample.source, motion)
    return {"warped": pyramid_l1(warped, sample.driving, pixel_weights(sample.details, weights.details))}


def painting_losses(
    prediction: Tensor, sample: Sample, weights: LossWeights, perceptual: Perceptual | None
) -> dict[str, Tensor]:
    """Compares the driving picture with the generator's."""
    important = pixel_weights(sample.details, weights.details)
    losses = {
        "pyramid": pyramid_l1(prediction, sample.driving, important),
        "gradient": gradient_l1(prediction, sample.driving, important),
    }
    if perceptual is not None:
        losses["perceptual"] = perceptual(prediction, sample.driving)
    return losses


def run_in_half_precision(model: FOMMAnimator, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> None:
    """Run the convolutions in `dtype`, in place; coordinates, heatmaps and sampling stay in float32.

    A plain autocast around the whole step would round keypoints to a quarter of a percent.
    """
    kp, generator, motion = model.kp_detector, model.generator, model.generator.dense_motion_network
    heads = (kp.predictor, kp.kp, kp.jacobian, motion.hourglass, motion.mask, motion.occlusion)
    painters = (generator.first, generator.bottleneck, generator.final, generator.blend)
    modules: Iterable[nn.Module | None] = chain(heads, painters, generator.down_blocks, generator.up_blocks)
    for module in modules:
        if module is not None:
            module.forward = in_half_precision(module, device, dtype)


def in_half_precision(module: nn.Module, device: torch.device, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """The module's `forward` under autocast, with a float32 result."""
    forward = module.forward

    def run(x: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype):
            return forward(x).float()

    return run
