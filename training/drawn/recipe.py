"""Training of the bundled model on drawn faces: every sample is new, and known to the last detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, filterfalse
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...module_fomm.drawn.architecture import DRAWN
from ...module_fomm.drawn.network import DrawnAnimator
from ..muon import Muon, is_inner
from ..objectives.base import Losses
from ..preview import transfer
from ..recipe import Recipe, Step
from ..transform import Transform, TransformParams
from .pairs import TEST_SEEDS, Sample, training_generator, training_sample
from .params import DrawnDataset, DrawnTrainParams
from .sheet import drawn_sheet
from .step import training_losses

EVALUATED = 48  # pictures


class DrawnObjective(nn.Module):
    """The model together with its losses; with `motion_only` those of the motion alone."""

    def __init__(self, model: DrawnAnimator, params: DrawnTrainParams) -> None:
        super().__init__()
        self.model, self.weights = model, params.weights
        self.motion_only = False

    def forward(self, sample: Sample, transform: Transform) -> Losses:
        """Compute the losses of a sample, weighted."""
        losses = training_losses(self.model, sample, transform, self.weights, self.motion_only)
        weighted = {name: getattr(self.weights, name) * value for name, value in losses.items()}
        return Losses(weighted, {name: value.detach() for name, value in losses.items()})


class DrawnRecipe(Recipe):
    """The bundled network on drawn faces, moved by Muon and Adam; all randomness comes from seed and step."""

    dtype: ClassVar[torch.dtype | None] = torch.float16

    animator: DrawnAnimator
    params: DrawnTrainParams

    def __init__(
        self, model: DrawnAnimator, dataset: DrawnDataset, params: DrawnTrainParams, device: torch.device
    ) -> None:
        super().__init__(DRAWN.id, params, model, device)
        self._dataset = dataset
        self._losses = DrawnObjective(model, params)
        model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.adopt(self._losses, {"kp_detector": model.kp_detector, "generator": model.generator})
        parameters = list(model.parameters())
        self.optimizers = {
            "muon": Muon(filter(is_inner, parameters), lr=0.0),
            "adam": torch.optim.Adam(filterfalse(is_inner, parameters), lr=0.0, betas=(0.5, 0.999)),
        }

    def batches(self, step: int) -> Iterator[Step]:
        """Draw samples without end, beginning with that of a step."""
        for number in count(step):
            generator = training_generator(self.params.seed, number)
            identities, spread = self._dataset.identities, TransformParams(sigma_affine=self.params.affine)
            sample = training_sample(generator, identities, self._dataset.size, self.device)
            yield sample, Transform.sample(2 * identities, generator, self.device, spread)

    def schedule(self, step: int, share: float) -> None:
        """Set learning rates, each from that of the step before, and let the generator rest in the beginning."""
        self._losses.motion_only = share < self.params.motion_only
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.params.rate(share, group["lr"])

    def logged(self, losses: Losses) -> Mapping[str, Tensor]:
        """Log the losses without their weights, which may be 0."""
        return losses.outputs

    def sheet(self) -> Tensor:
        """Lay out unseen faces, in poses of their own and of others."""
        assert isinstance(self.shown, DrawnAnimator)  # an average is of the same kind
        return drawn_sheet(self.shown, self._dataset.size)

    def evaluate(self) -> float:
        """Return the mean absolute difference of unseen faces, drawn from themselves in another pose."""
        generator = torch.Generator().manual_seed(TEST_SEEDS)
        sample = training_sample(generator, EVALUATED // 2, self._dataset.size, self.device)
        source, driving = sample.pictures[sample.source], sample.pictures[sample.driving]
        return (transfer(self.shown, source, driving) - driving).abs().mean().item()
