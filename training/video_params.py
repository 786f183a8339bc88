"""Settings of training on videos, under the names of published configurations (`train_params`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .objectives.distillation import DistillationParams
from .objectives.params import (
    SCALES,
    ArticulateLossWeights,
    FOMMLossWeights,
    SplineLossWeights,
    SplineSchedule,
)
from .params import RunParams, cosine
from .transform import TransformParams

MILESTONES, COSINE = "milestones", "cosine"
DROP = 0.1  # of learning rates at each milestone
MOST_READERS = 64  # processes
MOST_REPEATS = 10**6
LEAST_SCALE = 1 / 64
HIGHEST_RATE = 1e6  # beyond it nothing learns; optimizers themselves end at the largest float


@dataclass(frozen=True, kw_only=True)
class VideoTrainParams(RunParams):
    """Settings that the published configurations share, with ours.

    An epoch goes `num_repeats` times through the videos; at each of `epoch_milestones` learning rates drop to a tenth.
    `batch_size` counts the samples of all processes. `checkpoint_freq` is in epochs. Ours are `schedule`, where cosine
    lets learning rates fall smoothly to 0 at the end of the run, and `vgg`, the file of torchvision's VGG19. Processes
    that read data are as many as there are processors where `dataloader_workers` says nothing. `use_sync_bn` has batch
    norms count the samples of all GPUs; `distillation` has the model learn from a larger one too. `crop`, in one
    published file, means nothing.
    """

    num_epochs: int = 100
    num_repeats: int = 1
    epoch_milestones: tuple[int, ...] = ()
    batch_size: int = 8
    scales: tuple[float, ...] = SCALES
    checkpoint_freq: int = 50
    transform_params: TransformParams = field(default_factory=TransformParams)
    dataloader_workers: int | None = None
    use_sync_bn: bool = True
    crop: bool = False
    schedule: Literal["milestones", "cosine"] = MILESTONES
    vgg: Path | None = None
    distillation: DistillationParams | None = None

    def check(self) -> None:
        """Raise ValueError for numbers with which nothing can be trained."""
        RunParams.check(self)
        for name in ("num_epochs", "num_repeats", "batch_size", "checkpoint_freq"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; 1 or more was wanted")
        if self.num_repeats > MOST_REPEATS:
            raise ValueError(f"num_repeats is {self.num_repeats}; {MOST_REPEATS} at most was wanted")
        if self.dataloader_workers is not None and not 0 <= self.dataloader_workers <= MOST_READERS:
            raise ValueError(f"dataloader_workers is {self.dataloader_workers}; 0 to {MOST_READERS} was wanted")
        if min(self.epoch_milestones, default=0) < 0:
            raise ValueError(f"epoch_milestones are {[*self.epoch_milestones]}; 0 or more was wanted")
        if not self.scales or not all(LEAST_SCALE <= scale <= 1 for scale in self.scales):
            raise ValueError(f"scales are {[*self.scales]}; numbers from {LEAST_SCALE:g} to 1 were wanted")
        for name, rate in self.rates().items():
            if not 0 <= rate <= HIGHEST_RATE:
                raise ValueError(f"{name} is {rate}; 0 to {HIGHEST_RATE:g} was wanted")

    def rates(self) -> dict[str, float]:
        """Return the learning rates by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name == "lr" or name[:3] == "lr_"}

    def factor(self, epoch: int, share: float) -> float:
        """Return what learning rates are multiplied by in an epoch, counted from 0, when a share of the run is over."""
        if self.schedule == COSINE:
            return cosine(share)
        return DROP ** sum(epoch >= milestone for milestone in self.epoch_milestones)


@dataclass(frozen=True, kw_only=True)
class FOMMTrainParams(VideoTrainParams):
    """Settings of FOMM."""

    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    lr_kp_detector: float = 2e-4
    loss_weights: FOMMLossWeights = field(default_factory=FOMMLossWeights)


@dataclass(frozen=True, kw_only=True)
class SplineTrainParams(VideoTrainParams, SplineSchedule):
    """Settings of the Thin-Plate Spline model."""

    lr_generator: float = 2e-4
    loss_weights: SplineLossWeights = field(default_factory=SplineLossWeights)


@dataclass(frozen=True, kw_only=True)
class ArticulateTrainParams(VideoTrainParams):
    """Settings of Articulated Animation."""

    lr: float = 2e-4
    loss_weights: ArticulateLossWeights = field(default_factory=ArticulateLossWeights)
