"""Settings of running that every recipe shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FLOAT32, BFLOAT16 = "float32", "bfloat16"


@dataclass(frozen=True, kw_only=True)
class RunParams:
    """Settings of how a run goes, as part of `train_params`; these settings are ours, no published file has them.

    It ends after `steps` steps or `minutes` minutes of training, whichever comes first, of those that are given, and
    after `patience` evaluations without a better one; there is one every `evaluate_every` steps. With `precision`
    bfloat16 convolutions run in 16 bits; with auto, where the device is faster so. `ema_decay` above 0 keeps averaged
    weights, which are what is evaluated and exported; the decay rises to it over the first steps. `clip_norm` bounds
    the norm of all gradients together. `freeze` lists networks that stay as they are, also in their statistics. State
    and model are saved every `save_minutes`, and copies of the newest `keep` models kept. Losses are logged every
    `log_every` steps.
    """

    seed: int = 0
    steps: int | None = None
    minutes: float | None = None
    precision: Literal["auto", "float32", "bfloat16"] = FLOAT32
    ema_decay: float = 0.0
    clip_norm: float | None = None
    freeze: tuple[str, ...] = ()
    save_minutes: float = 10.0
    keep: int = 3
    log_every: int = 25
    evaluate_every: int | None = None
    patience: int | None = None
    compile: bool = False

    def check(self) -> None:
        """Raise ValueError for numbers with which nothing can be trained."""
        least = {"seed": 0, "steps": 1, "keep": 0, "log_every": 1, "evaluate_every": 1, "patience": 1}
        for name, bound in least.items():
            value: int | None = getattr(self, name)
            if value is not None and value < bound:
                raise ValueError(f"{name} is {value}; {bound} or more was wanted")
        for name in ("minutes", "clip_norm", "save_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} is {value}; a number above 0 was wanted")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}; 0 to below 1 was wanted")
        if self.patience is not None and self.evaluate_every is None:
            raise ValueError("patience is given without evaluate_every, which says how often to evaluate")

    def share_done(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over after so many steps and seconds, in [0, 1]."""
        by_steps = 0.0 if self.steps is None else step / self.steps
        by_time = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return min(1.0, max(by_steps, by_time))


def cosine(share: float) -> float:
    """Return what a learning rate is multiplied by when a share of the run is over: from 1 down to 0."""
    return 0.5 * (1 + math.cos(math.pi * share))
