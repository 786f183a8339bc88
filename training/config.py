"""Settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..module_fomm.drawn.config import DrawnConfig
from .bundled import BUNDLED, SIZE
from .losses import LossWeights


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A run. It ends after `steps` steps or `minutes` minutes of training, whichever comes first.

    The learning rate follows a cosine down to the end. From one step to the next it rises by a `ramp`-th at most: in
    the beginning, and in a finished run that is given more time, which large steps at once would undo. For the first
    `motion_only` of the run the generator rests and only the warped source is compared, which is several times
    cheaper. Without `detector`, the one of the start is kept as it is. `identities` are drawn per step, each
    as source and as driving picture. `affine` is the spread of the equivariance transform: the paper's 0.05
    never shows a detector a tilted head.
    """

    model: DrawnConfig = BUNDLED
    size: int = SIZE
    identities: int = 6
    seed: int = 0
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = 1e-3
    ramp: int = 200
    motion_only: float = 0.15
    detector: bool = True
    clip_norm: float = 10.0
    affine: float = 0.1
    half_precision: bool = True
    compile: bool = False  # twice as fast on a CPU once it runs; needs a C++ compiler
    losses: LossWeights = field(default_factory=LossWeights)

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over after so many steps and seconds, in [0, 1]."""
        by_steps = 0.0 if self.steps is None else step / self.steps
        by_time = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return min(1.0, max(by_steps, by_time))

    def rate(self, progress: float, last: float) -> float:
        """The learning rate of a step, from that of the step before."""
        target = self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
        return min(target, last + self.learning_rate / self.ramp)
