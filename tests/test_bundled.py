"""The model that ships with the pack: how good it is, and that the command line shows just what it makes."""

from pathlib import Path

import pytest
import torch
from firstordermm.animation.pipeline import AnimateOptions, animate
from firstordermm.animation.registry import load_animator
from firstordermm.cli.main import main
from firstordermm.core.types import Animator
from firstordermm.loading.bundled import DRIVING, PACK, sample_pictures
from firstordermm.media.reader import VideoClip, read_picture
from firstordermm.training.evaluate import judge
from firstordermm.training.pose_reader import PoseReader
from torch import Tensor

CPU = torch.device("cpu")
CODING = 0.015  # mean difference that h264 may make


@pytest.fixture(scope="module")
def model() -> Animator:
    return load_animator(PACK / "checkpoints" / "drawn-faces.safetensors", "fomm").eval()


def every_frame(clip: VideoClip) -> Tensor:
    """All pictures of a video: (T, 3, H, W) in [0, 1]."""
    return torch.cat(list(clip.chunks(16))).movedim(-1, 1) / 255


def test_unseen_faces_come_out_better_than_the_baselines(model: Animator) -> None:
    means = judge(model, PoseReader().eval(), clips=12, frames=5)
    assert means["same model"] < 0.42 * means["same copy"]
    assert means["same model"] < 0.6 * means["same mean"]
    assert means["same model details"] < 0.6 * means["same copy details"]
    assert means["cross model"] < 0.6 * means["cross copy"]


def test_the_demo_shows_what_the_model_makes(model: Animator, tmp_path: Path) -> None:
    assert main(["demo", "--output", str(tmp_path)]) == 0
    pictures = sample_pictures()
    assert len(pictures) > 1
    for name, path in pictures.items():
        source, shown = read_picture(path), every_frame(VideoClip(tmp_path / f"{name}.mp4"))
        made = torch.cat(list(animate(model, source, VideoClip(DRIVING), CPU, AnimateOptions())))
        assert shown.shape == made.shape
        assert (shown - made).abs().mean() < CODING
        assert (made[1:] - made[:1]).abs().mean() > 4 * CODING
        assert (tmp_path / f"{name}.png").exists()
