"""Distillation: a model learns from the pictures and the poses of another, which is larger and trained already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...animation.predictor import Predictor
from ...core.errors import InputError
from ...core.types import Animator, Motion
from ..data.batch import Batch


@dataclass(frozen=True, slots=True)
class DistillationParams:
    """Settings of distillation (`distillation`): the `teacher`, a weight file, and the weights of the two losses."""

    teacher: Path
    prediction: float = 10.0
    keypoints: float = 10.0

    def check(self) -> None:
        """Raise ValueError for weights that are none."""
        for name in ("prediction", "keypoints"):
            if not 0 <= (value := getattr(self, name)) < float("inf"):
                raise ValueError(f"{name} is {value}; 0 or more was wanted")


class Teacher:
    """Frozen model, which shows what pictures and poses should be like."""

    def __init__(self, animator: Animator, params: DistillationParams) -> None:
        self.animator, self.params = animator, params

    @classmethod
    def load(cls, params: DistillationParams, device: torch.device) -> Teacher:
        """Read the weights, and bring them into the fast form."""
        return cls(Predictor.load(params.teacher, device=device).animator, params)

    def losses(self, batch: Batch, prediction: Tensor, source: Motion, driving: Motion) -> dict[str, Tensor]:
        """Compare predicted pictures (B, 3, H, W) and the poses of a batch with the teacher's, by L1, weighted."""
        with torch.no_grad():
            prepared, pose = self.animator.prepare(batch.source), self.animator.motion(batch.driving)
            picture = self.animator.render(prepared, pose)
        found: dict[str, Tensor] = {}
        if self.params.prediction:
            found["distilled_prediction"] = self.params.prediction * (prediction - picture.float()).abs().mean()
        if self.params.keypoints:
            frames = not self.animator.spec.unsigned_frames  # of which a frame and its negative mean the same
            error = _distance(source, prepared.motion, frames) + _distance(driving, pose, frames)
            found["distilled_keypoints"] = self.params.keypoints * error / 2
        return found


def _distance(found: Motion, wanted: Motion, frames: bool) -> Tensor:
    """Mean absolute difference of points and, with `frames`, of jacobians where both have them."""
    if found.points.shape != wanted.points.shape:
        raise InputError(
            f"distillation.teacher has {wanted.points.shape[1]} keypoints; {found.points.shape[1]} were wanted, as the "
            "model has. Choose another, or set distillation.keypoints to 0."
        )
    error = (found.points - wanted.points).abs().mean()
    if not frames or found.jacobians is None or wanted.jacobians is None:
        return error
    return error + (found.jacobians - wanted.jacobians).abs().mean()
