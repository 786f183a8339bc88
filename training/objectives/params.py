"""Settings of the losses, under the names that the published YAMLs give them."""

from __future__ import annotations

from dataclasses import dataclass, fields

SCALES = (1.0, 0.5, 0.25, 0.125)
"""Sizes at which the published losses compare pictures (`scales`)."""


LAYERS = 5  # of VGG19 that are compared


@dataclass(frozen=True, slots=True)
class ReconstructionWeights:
    """Weights that all architectures have (`loss_weights`): those of the five layers of VGG19."""

    perceptual: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0, 10.0)

    def check(self) -> None:
        """Raise ValueError for weights that no loss can have."""
        if len(self.perceptual) > LAYERS:
            raise ValueError(f"perceptual has {len(self.perceptual)} weights; {LAYERS} at most were wanted")
        for name in (field.name for field in fields(self)):
            value: float | tuple[float, ...] = getattr(self, name)
            if min(value if isinstance(value, tuple) else (value,), default=0.0) < 0:
                raise ValueError(f"{name} has a weight below 0; 0 or more was wanted")


@dataclass(frozen=True, slots=True)
class FOMMLossWeights(ReconstructionWeights):
    """Weights of FOMM's losses. With `generator_gan` 0 there is no discriminator; `feature_matching` has one weight
    for each of its blocks."""

    generator_gan: float = 0.0
    discriminator_gan: float = 1.0
    feature_matching: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0)
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0


@dataclass(frozen=True, slots=True)
class SplineLossWeights(ReconstructionWeights):
    """Weights of the Thin-Plate Spline model's losses."""

    equivariance_value: float = 10.0
    warp_loss: float = 10.0
    bg: float = 10.0


@dataclass(frozen=True, slots=True)
class ArticulateLossWeights(ReconstructionWeights):
    """Weights of Articulated Animation's losses."""

    equivariance_shift: float = 10.0
    equivariance_affine: float = 10.0


@dataclass(frozen=True, slots=True)
class DiscriminatorParams:
    """Sizes of FOMM's discriminator (`discriminator_params`).

    With `use_kp` it sees Gaussians around the driving keypoints behind the colours; with `sn` its convolutions are
    spectrally normed.
    """

    scales: tuple[float, ...] = (1.0,)
    block_expansion: int = 64
    max_features: int = 512
    num_blocks: int = 4
    use_kp: bool = False
    sn: bool = False
    kp_variance: float = 0.01


@dataclass(frozen=True, slots=True)
class SplineSchedule:
    """Epochs from which a Thin-Plate Spline model trains differently (of `train_params`).

    Until `dropout_epoch`, splines are left out of the flow with a probability that rises from `dropout_startp` by
    `dropout_maxp` in `dropout_inc_epoch` epochs, but never above `dropout_maxp`. From `bg_start` on the background
    moves.
    """

    dropout_epoch: int = 35
    dropout_maxp: float = 0.3
    dropout_startp: float = 0.1
    dropout_inc_epoch: int = 10
    bg_start: int = 10

    def dropout(self, epoch: int) -> float | None:
        """Return the probability in an epoch, counted from 0; None once no spline is left out any more."""
        if epoch >= self.dropout_epoch:
            return None
        return min(epoch / self.dropout_inc_epoch * self.dropout_maxp + self.dropout_startp, self.dropout_maxp)
