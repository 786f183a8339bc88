"""Distillation: losses against closed forms, and runs that learn from a teacher's file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Motion
from first_order_motion.deploy.compress import write
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.training.data.batch import Batch
from first_order_motion.training.objectives.distillation import DistillationParams, Teacher
from support.training_runs import SIZE, video_config, video_trainer, write_strips
from torch import Tensor

FILE = Path("teacher.safetensors")
SOURCE = Motion(torch.zeros(2, 3, 2), torch.eye(2).expand(2, 3, 2, 2))
DRIVING = Motion(torch.full((2, 3, 2), 0.5), 2 * torch.eye(2).expand(2, 3, 2, 2))
BATCH = Batch(torch.full((2, 3, 4, 4), 0.25), torch.full((2, 3, 4, 4), 0.75), torch.arange(2))


def teacher(unsigned: bool = False, **params: float) -> Teacher:
    """One that finds the poses above, and draws the mean of the source and of 1."""

    def motion(picture: Tensor) -> Motion:
        return DRIVING if torch.equal(picture, BATCH.driving) else SOURCE

    animator = SimpleNamespace(
        prepare=lambda source: SimpleNamespace(motion=motion(source), source=source),
        motion=motion,
        render=lambda prepared, _: (prepared.source + 1) / 2,
        spec=SimpleNamespace(unsigned_frames=unsigned),
    )
    return Teacher(cast(Any, animator), DistillationParams(FILE, **params))


def moved(motion: Motion, points: float, jacobians: float) -> Motion:
    assert motion.jacobians is not None
    return Motion(motion.points + points, motion.jacobians + jacobians)


def test_losses_are_mean_distances_times_their_weights() -> None:
    picture = torch.full((2, 3, 4, 4), 0.5)
    found = teacher(prediction=2, keypoints=3).losses(BATCH, picture, moved(SOURCE, 0.1, 0), moved(DRIVING, -0.3, 0.2))
    torch.testing.assert_close(found["distilled_prediction"], torch.tensor(2 * 0.125))
    torch.testing.assert_close(found["distilled_keypoints"], torch.tensor(3 * (0.1 + 0.3 + 0.2) / 2))


def test_a_weight_of_0_leaves_a_loss_out() -> None:
    assert teacher(prediction=0, keypoints=0).losses(BATCH, BATCH.source, SOURCE, DRIVING) == {}


def test_points_alone_are_compared_where_one_has_no_jacobians() -> None:
    found = teacher(keypoints=1).losses(BATCH, BATCH.source, Motion(SOURCE.points + 0.2), Motion(DRIVING.points))
    torch.testing.assert_close(found["distilled_keypoints"], torch.tensor(0.1))


def test_frames_that_have_no_sign_are_not_compared() -> None:
    found = teacher(unsigned=True, keypoints=1).losses(BATCH, BATCH.source, moved(SOURCE, 0, 5), moved(DRIVING, 0.4, 5))
    torch.testing.assert_close(found["distilled_keypoints"], torch.tensor(0.2))


def test_other_keypoints_are_refused_unless_they_do_not_count() -> None:
    other = Motion(torch.zeros(2, 5, 2))
    with pytest.raises(InputError, match="teacher has 3 keypoints; 5 were wanted"):
        teacher().losses(BATCH, BATCH.source, other, other)
    assert list(teacher(keypoints=0).losses(BATCH, BATCH.source, other, other)) == ["distilled_prediction"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_strips(tmp_path / "data")


def saved(data: Path, path: Path) -> Path:
    torch.manual_seed(5)
    write(FOMMAnimator(video_config(data).model_params.config, SIZE), path)
    return path


@pytest.mark.slow
def test_a_run_draws_nearer_to_its_teacher(data: Path, tmp_path: Path) -> None:
    path = saved(data, tmp_path / "teacher.safetensors")
    params = {"distillation": {"teacher": str(path), "keypoints": 100}, "lr_kp_detector": 5e-3}
    run = video_trainer(data, tmp_path / "run", **params)
    losses = [run.train_step()["distilled_keypoints"].item() for _ in range(25)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert run.recipe.notes()["distilled_from"] == path.name
    assert not any(name.startswith("teacher") for name in run.recipe.objective.state_dict())


@pytest.mark.parametrize("architecture", ["spline", "articulate"])
def test_every_architecture_learns_from_pictures(data: Path, tmp_path: Path, architecture: str) -> None:
    path = saved(data, tmp_path / "teacher.safetensors")
    params = {"distillation": {"teacher": str(path), "keypoints": 0}}
    assert "distilled_prediction" in video_trainer(data, tmp_path / "run", architecture, **params).train_step()


def test_settings_that_cannot_be_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prediction is -1"):
        video_config(data, distillation={"teacher": "x.safetensors", "prediction": -1})
    with pytest.raises(InputError, match="lacks teacher"):
        video_config(data, distillation={})
