"""Adversarial losses, least squares (Mao et al. 2017), and matching of the discriminator's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..discriminator import MultiScaleDiscriminator, Verdict
from ..perceptual import ImagePyramid
from .base import Losses
from .params import FOMMLossWeights


class DiscriminatorObjective(nn.Module):
    """Discriminator together with its loss: one forward is its half of a step, and can be distributed.

    The generator's half uses it too (`generator_terms`), and leaves gradients on its parameters unless these are
    frozen for so long.
    """

    def __init__(self, discriminator: MultiScaleDiscriminator, weights: FOMMLossWeights) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.pyramid = ImagePyramid(discriminator.scales)
        self.weights = weights

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Networks that are trained, by their published names."""
        return {"discriminator": self.discriminator}

    def judge(self, prediction: Tensor, driving: Tensor, points: Tensor) -> tuple[list[Verdict], list[Verdict]]:
        """Judge predicted pictures, then true ones, both by the driving keypoints (B, K, 2), scale by scale."""
        points = points.detach()
        generated = self.discriminator(self.pyramid(prediction), points)
        return generated, self.discriminator(self.pyramid(driving), points)

    def forward(self, driving: Tensor, prediction: Tensor, points: Tensor) -> Losses:
        """Compute the discriminator's own loss: true pictures (B, 3, H, W) should count 1, predicted ones 0."""
        generated, real = self.judge(prediction.detach(), driving, points)
        errors = [((1 - r.map).square() + g.map.square()).mean() for g, r in zip(generated, real, strict=True)]
        return Losses({"disc_gan": self.weights.discriminator_gan * torch.stack(errors).sum()}, {})

    def generator_terms(self, prediction: Tensor, driving: Tensor, points: Tensor) -> dict[str, Tensor]:
        """Compute what the generator loses: predicted pictures should count 1, and have the features of true ones."""
        generated, real = self.judge(prediction, driving, points)
        errors = [(1 - verdict.map).square().mean() for verdict in generated]
        terms = {"gen_gan": self.weights.generator_gan * torch.stack(errors).sum()}
        if any(self.weights.feature_matching):
            differences = [
                weight * (r - g).abs().mean()
                for one, other in zip(generated, real, strict=True)
                for weight, g, r in zip(self.weights.feature_matching, one.features, other.features, strict=True)
                if weight
            ]
            terms["feature_matching"] = torch.stack(differences).sum()
        return terms
