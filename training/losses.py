"""Losses of training (FOMM, section 3.3), with others in place of those that need a downloaded network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.layers.matrix2x2 import inverse_2x2
from ..core.types import Motion
from .transform import Transform

Perceptual = Callable[[Tensor, Tensor], Tensor]  # prediction and target (B, 3, H, W) -> a scalar


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weight of every term; `details` is how much more a pixel of an eye or a mouth counts than another, `l1` aside."""

    l1: float = 0.0
    pyramid: float = 10.0
    gradient: float = 5.0
    warped: float = 5.0
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0
    landmarks: float = 10.0
    assignment: float = 0.5
    mixture: float = 5.0
    parts: float = 1.0
    perceptual: float = 0.0
    details: float = 2.0


FINISHING = LossWeights(l1=9.0, pyramid=3.0, gradient=0.5, warped=1.0, mixture=0.5)  # when motion has settled


def pixel_weights(details: Tensor, gain: float) -> Tensor:
    """Turn a map of details (B, 1, H, W) in [0, 1] into weights of mean 1 over the batch."""
    weights = 1 + gain * details
    return weights / weights.mean()


def weighted_l1(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference under weights (B, 1, H, W)."""
    return ((prediction - target).abs() * weights).mean()


def pyramid_l1(prediction: Tensor, target: Tensor, weights: Tensor, levels: int = 3) -> Tensor:
    """Mean of the L1 differences at full, half, quarter ... size."""
    total = weighted_l1(prediction, target, weights)
    for _ in range(levels - 1):
        prediction, target, weights = (F.avg_pool2d(maps, 2) for maps in (prediction, target, weights))
        total = total + weighted_l1(prediction, target, weights)
    return total / levels


def gradient_l1(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """L1 between the horizontal and vertical differences of neighbouring pixels: punishes blur."""
    error = prediction - target
    across = ((error[..., :, 1:] - error[..., :, :-1]).abs() * weights[..., :, 1:]).mean()
    return across + ((error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]).mean()


def equivariance(
    driving: Motion, moved: Motion, transform: Transform, unsigned_frames: bool = False
) -> dict[str, Tensor]:
    """Errors of equivariance: a picture seen through T should have its keypoints, moved by T (equations 9 to 11).

    `driving` are the keypoints of d, `moved` those of `transform.picture(d)`. With `unsigned_frames` a jacobian and its
    negative mean the same.
    """
    losses = {"equivariance_value": (driving.points - transform.points(moved.points)).abs().mean()}
    if driving.jacobians is not None and moved.jacobians is not None:
        product = inverse_2x2(driving.jacobians) @ transform.jacobian(moved.points) @ moved.jacobians
        if unsigned_frames:
            product = torch.where(product[..., :1, :1] < 0, -product, product)
        losses["equivariance_jacobian"] = (torch.eye(2, device=product.device) - product).abs().mean()
    return losses


def assignment_loss(mask: Tensor, moved: Tensor, driving: Tensor, nearness: Tensor) -> Tensor:
    """Cross-entropy of the dense motion's mask against the candidates that explain the driving picture best.

    `mask` (B, K+1, h, w); `moved` (B, K+1, 3, h, w) the source moved by every candidate, the background's
    first; `driving` (B, 3, h, w); `nearness` (B, K, h, w) in [0, 1], by which a keypoint at hand is preferred
    to a far one. Ours: a softmax that once gave up a keypoint has no gradient left to find it useful again.
    Places where every candidate does equally well count little.
    """
    cost = (moved - driving[:, None]).abs().mean(2)  # (B, K+1, h, w)
    cost = F.avg_pool2d(cost, 3, stride=1, padding=1, count_include_pad=False)
    cost = cost - 0.02 * torch.cat([torch.full_like(cost[:, :1], 0.5), nearness], dim=1)
    target = torch.softmax(-cost / 0.015, dim=1)
    sharpness = (target.square().sum(1) * target.shape[1] - 1) / (target.shape[1] - 1)  # 0 undecided .. 1 sure
    entropy = -(target * (mask + 1e-6).log()).sum(1)
    return (entropy * sharpness).mean()


def mixture_loss(mask: Tensor, moved: Tensor, driving: Tensor) -> Tensor:
    """L1 of the candidates' pictures mixed by the mask; shapes as in `assignment_loss`.

    Ours: moving the source by a mean of motions tells a candidate's weight little about its own picture.
    """
    return ((mask[:, :, None] * moved).sum(1) - driving).abs().mean()


def parts_loss(found: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of maps of head and body (B, 2, h, w) in [0, 1] against larger true ones (B, 2, H, W)."""
    return F.binary_cross_entropy(
        found.clamp(1e-4, 1 - 1e-4), F.adaptive_avg_pool2d(truth, (found.shape[2], found.shape[3]))
    )


def landmark_loss(found: Motion, truth: Motion) -> Tensor:
    """Mean distance of keypoints and jacobians from known ones.

    Ours, for drawn faces alone: FOMM finds its keypoints by itself, but takes thousands of steps to leave
    the middle of the face and many more to notice a blink. Frames count less, as flow error grows from points.
    """
    assert found.jacobians is not None and truth.jacobians is not None
    return (found.points - truth.points).abs().mean() + 0.1 * (found.jacobians - truth.jacobians).abs().mean()


def weighted_sum(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """Sum the losses, each times the weight of its name, to the scalar to minimise."""
    total = [getattr(weights, name) * value for name, value in losses.items()]
    return torch.stack(total).sum()
