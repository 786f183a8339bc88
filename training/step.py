"""One training step of a FOMM: from a sample to its losses."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.layers.grid import make_coordinate_grid
from ..core.layers.heatmap import gaussian_heatmaps
from ..core.types import Motion
from ..module_fomm.animator import FOMMAnimator
from ..module_fomm.dense_motion import DenseMotionNetwork
from .drawn.pairs import Sample
from .losses import (
    LossWeights,
    Perceptual,
    assignment_loss,
    equivariance,
    gradient_l1,
    landmark_loss,
    pixel_weights,
    pyramid_l1,
)
from .transform import Transform


def training_losses(
    model: FOMMAnimator,
    sample: Sample,
    transform: Transform,
    weights: LossWeights,
    motion_only: bool = False,
    perceptual: Perceptual | None = None,
) -> dict[str, Tensor]:
    """All losses of one step, unweighted, by name.

    With `motion_only` the generator paints nothing, and the dense motion learns from true keypoints where
    they are known: it need not wait for the detector.
    """
    found = model.kp_detector(sample.pictures)
    losses = detector_losses(model, sample, found, transform)
    motions = sample.truth if motion_only and sample.truth is not None else found
    source, driving = sample.pictures[sample.source], sample.pictures[sample.driving]
    important = pixel_weights(sample.details[sample.driving], weights.details)
    network = model.generator.dense_motion_network
    small, ends = network.down(source), (picked(motions, sample.source), picked(motions, sample.driving))
    motion = network(small, *ends)
    losses["warped"] = pyramid_l1(model.generator.deformed(source, motion), driving, important)
    if motion_only:
        losses["assignment"] = assignment(network, motion.mask, small, network.down(driving), *ends)
    else:
        prediction = model.generator.decode(model.generator.encode(source), motion)
        losses |= painting_losses(prediction, driving, important, perceptual)
    return losses


def picked(motion: Motion, numbers: Tensor) -> Motion:
    """Some entries of a motion."""
    return Motion(motion.points[numbers], None if motion.frames is None else motion.frames[numbers])


def detector_losses(model: FOMMAnimator, sample: Sample, found: Motion, transform: Transform) -> dict[str, Tensor]:
    """What can be said of the keypoints of N pictures alone."""
    moved = model.kp_detector(transform.picture(sample.pictures))
    losses = equivariance(found, moved, transform)
    if sample.truth is not None:
        losses["landmarks"] = landmark_loss(found, sample.truth)
    return losses


def assignment(
    network: DenseMotionNetwork, mask: Tensor, source: Tensor, driving: Tensor, kp_source: Motion, kp_driving: Motion
) -> Tensor:
    """How far the mask is from the best choice of candidates, for shrunken pictures (B, 3, h, w)."""
    with torch.no_grad():
        moved = network.deformed_sources(source, network.sparse_motions(source, kp_source, kp_driving))
        grid = make_coordinate_grid(*source.shape[2:], like=source)
        nearness = gaussian_heatmaps(kp_driving.points, grid, variance=0.3)
    return assignment_loss(mask, moved, driving, nearness)


def painting_losses(
    prediction: Tensor, driving: Tensor, important: Tensor, perceptual: Perceptual | None
) -> dict[str, Tensor]:
    """Compares the driving picture with the generator's; weights are (B, 1, H, W)."""
    losses = {
        "pyramid": pyramid_l1(prediction, driving, important),
        "gradient": gradient_l1(prediction, driving, important),
    }
    if perceptual is not None:
        losses["perceptual"] = perceptual(prediction, driving)
    return losses
