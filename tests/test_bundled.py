"""The model that ships with the pack: how good it is, and that the command line shows just what it makes."""

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.find_model import find_model
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.registry import load_files
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.cli.main import main
from first_order_motion.core.types import Animator
from first_order_motion.training.evaluation.drawn import judge
from first_order_motion.training.pose_reader import PoseReader
from support.media_files import check_shows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> Animator:
    return load_files(find_model("drawn-faces")[0])


def test_unseen_faces_come_out_better_than_the_baselines(model: Animator) -> None:
    means = judge(Predictor(model, CPU), PoseReader().eval(), clips=12, frames=5)
    assert means["same model"] < 0.42 * means["same copy"]
    assert means["same model"] < 0.6 * means["same mean"]
    assert means["same model details"] < 0.6 * means["same copy details"]
    assert means["cross model"] < 0.6 * means["cross copy"]


def test_the_demo_shows_what_the_model_makes(
    model: Animator, tmp_path: Path, short_driving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(VideoClip(DRIVING)) == 96
    monkeypatch.setattr("first_order_motion.cli.demo.DRIVING", short_driving)
    assert main(["demo", "--output", str(tmp_path)]) == 0
    for name in ("face", "fox"):
        source = read_picture(sample_pictures()[name])
        made = torch.cat(list(animate(model, source, VideoClip(short_driving), CPU, AnimateOptions())))
        check_shows(tmp_path / f"{name}.mp4", made.movedim(1, -1))
        assert (tmp_path / f"{name}.png").exists()
    group = VideoClip(tmp_path / "group.mp4")
    assert len(group) == len(VideoClip(short_driving)) and group.frame(0).shape == (1, 720, 1280, 3)
    assert (tmp_path / "group.png").exists()
