"""Settings of training on drawn faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...module_fomm.drawn.config import SIZE
from ..losses import FINISHING, LossWeights
from ..params import BFLOAT16, RunParams, cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDataset:
    """Drawn faces (`dataset_params`): `identities` a step, each as source and as driving picture, `size` pixels."""

    identities: int = 6
    size: int = SIZE

    def check(self) -> None:
        """Raise ValueError for pictures that cannot be drawn."""
        for name in ("identities", "size"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; 1 or more was wanted")


@dataclass(frozen=True, kw_only=True)
class DrawnTrainParams(RunParams):
    """Settings of the bundled model's training (`train_params`).

    The learning rate follows a cosine down to the end. From one step to the next it rises by a `ramp`-th at most: in
    the beginning, and in a finished run that is given more time, which large steps at once would undo. For the first
    `motion_only` of the run the generator rests and only the warped source is compared, which is several times
    cheaper. `affine` is the spread of the equivariance transform: the paper's 0.05 never shows a detector a tilted
    head. With `finish` the picture counts more than how it was moved.
    """

    precision: Literal["auto", "float32", "bfloat16"] = BFLOAT16
    clip_norm: float | None = 10.0
    save_minutes: float = 3.0
    keep: int = 0
    learning_rate: float = 1e-3
    ramp: int = 200
    motion_only: float = 0.15
    affine: float = 0.1
    finish: bool = False
    loss_weights: LossWeights = field(default_factory=LossWeights)

    def check(self) -> None:
        """Raise ValueError for numbers with which nothing can be trained."""
        RunParams.check(self)
        if self.steps is None and self.minutes is None:
            raise ValueError("there is no end to the training: give --steps, --minutes or both")
        if not 0 <= self.motion_only <= 1:
            raise ValueError(f"motion_only is {self.motion_only}; 0 to 1 was wanted")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate}; more than 0 was wanted")
        if self.ramp < 1:
            raise ValueError(f"ramp is {self.ramp}; 1 or more was wanted")

    @property
    def weights(self) -> LossWeights:
        """Weights of the losses."""
        return FINISHING if self.finish else self.loss_weights

    def rate(self, share: float, last: float) -> float:
        """Return the learning rate of a step, from the share of the run that is over and the rate before."""
        target = self.learning_rate * cosine(share)
        return min(target, last + self.learning_rate / self.ramp)
