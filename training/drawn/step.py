"""One training step of a FOMM: from a sample to its losses."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.layers.heatmap import gaussian_heatmaps
from ...core.types import Motion
from ...module_fomm.drawn.network import PARTS, DrawnAnimator
from ..losses import (
    LossWeights,
    Perceptual,
    assignment_loss,
    equivariance,
    gradient_l1,
    landmark_loss,
    mixture_loss,
    parts_loss,
    pixel_weights,
    pyramid_l1,
)
from ..transform import Transform
from .pairs import Sample


def training_losses(
    model: DrawnAnimator,
    sample: Sample,
    transform: Transform,
    weights: LossWeights,
    motion_only: bool = False,
    perceptual: Perceptual | None = None,
) -> dict[str, Tensor]:
    """All losses of one step, unweighted, by name.

    With `motion_only` the generator paints nothing, and the dense motion learns from true keypoints where
    they are known: it need not wait for the detector. A detector in evaluation mode has no losses of its own.
    """
    found = model.kp_detector(sample.pictures)
    losses = detector_losses(model, sample, found, transform) if model.kp_detector.training else {}
    motions = sample.truth if motion_only and sample.truth is not None else found
    source, driving = sample.pictures[sample.source], sample.pictures[sample.driving]
    important = pixel_weights(sample.details[sample.driving], weights.details)
    network = model.generator.dense_motion_network
    ends = motions[sample.source], motions[sample.driving]
    encoded = network.encode(source, ends[0])
    small = encoded["small"]
    if sample.parts is not None:
        losses["parts"] = parts_loss(small[:, -PARTS:], sample.parts[sample.source])
    motion = network(encoded, *ends)
    losses["warped"] = pyramid_l1(model.generator.deformed(source, motion), driving, important)
    with torch.no_grad():
        target = network.down(driving)
        moved = network.deformed_sources(small[:, : target.shape[1]], network.sparse_motions(small, *ends))
    losses["mixture"] = mixture_loss(motion.mask, moved, target)
    if motion_only:
        losses["assignment"] = assignment_loss(motion.mask, moved, target, nearness(ends[1], target))
    else:
        prediction = model.generator.decode(model.generator.encode(source), motion)
        losses |= painting_losses(prediction, driving, important, perceptual)
    return losses


def detector_losses(model: DrawnAnimator, sample: Sample, found: Motion, transform: Transform) -> dict[str, Tensor]:
    """Compute the losses that need the keypoints of N pictures alone."""
    moved = model.kp_detector(transform.picture(sample.pictures))
    losses = equivariance(found, moved, transform)
    if sample.truth is not None:
        losses["landmarks"] = landmark_loss(found, sample.truth)
    return losses


def nearness(motion: Motion, small: Tensor) -> Tensor:
    """(B, K, h, w) in [0, 1]: how near every keypoint is to the pixels of `small`."""
    return gaussian_heatmaps(motion.points, small, variance=0.3)


def painting_losses(
    prediction: Tensor, driving: Tensor, important: Tensor, perceptual: Perceptual | None
) -> dict[str, Tensor]:
    """Compares the driving picture with the generator's; weights are (B, 1, H, W)."""
    losses = {
        "l1": (prediction - driving).abs().mean(),
        "pyramid": pyramid_l1(prediction, driving, important),
        "gradient": gradient_l1(prediction, driving, important),
    }
    if perceptual is not None:
        losses["perceptual"] = perceptual(prediction, driving)
    return losses
