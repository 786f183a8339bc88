"""Pictures of any size on the command line: which faces are animated, and what is said about it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.cli.main import main
from PIL import Image
from support.media_files import all_frames, build_video
from torch import Tensor

BOXES = [[10, 40, 50, 80], [110, 40, 150, 80]]
SMALL = ["--model", "drawn-faces", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a wide picture without a real face, its boxes, and a clip of four frames."""
    noise = np.random.default_rng(0).integers(0, 256, (15, 24, 3), np.uint8)
    Image.fromarray(noise).resize((192, 120), Image.Resampling.BICUBIC).save(tmp_path / "wide.png")
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES))
    build_video(tmp_path / "clip.mp4", 4)
    return tmp_path


def run(folder: Path, *options: str, output: str = "out.mp4") -> int:
    paths = [str(folder / name) for name in ("wide.png", "clip.mp4", output)]
    return main(["run", *paths, *SMALL, *options])


def result(folder: Path) -> Tensor:
    return all_frames(VideoClip(folder / "out.mp4")).int()


def change(folder: Path, *options: str) -> Tensor:
    """The largest change of each pixel, (H, W), in lossless pictures."""
    assert run(folder, *options, output="out.png") == 0
    before, *frames = (
        torch.tensor(np.asarray(Image.open(path), np.int32))
        for path in (folder / "wide.png", *sorted(folder.glob("out_*.png")))
    )
    assert len(frames) == 4
    return torch.stack([(frame - before).abs() for frame in frames]).amax(dim=(0, 3))


def test_given_boxes_are_animated_and_the_rest_stays(folder: Path) -> None:
    changes = change(folder, "--boxes", str(folder / "boxes.json"), "--ratio", "0.1")
    assert changes[:25].max() == 0 and changes[:, 60:100].max() == 0
    assert changes[45:75, 15:45].float().mean() > 10 and changes[45:75, 115:145].float().mean() > 10


def test_one_of_several_faces(folder: Path) -> None:
    changes = change(folder, "--boxes", str(folder / "boxes.json"), "--faces", "1", "--sheet", str(folder / "s.png"))
    assert changes[:, :60].max() == 0 and changes[45:75, 115:145].float().mean() > 10
    assert (folder / "s.png").exists()


def test_without_a_face_the_whole_picture_is_animated_and_that_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(folder, "--detector", "none") == 0
    assert result(folder).shape == (4, 128, 128, 3)
    assert "No face was found" in caplog.text


def test_stretching_asks_no_detector(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(folder, "--framing", "stretch") == 0
    assert result(folder).shape == (4, 128, 128, 3)
    assert "face" not in caplog.text.lower().replace(str(folder).lower(), "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--framing", "face", "--detector", "none"], "SOURCE shows no face"),
        (["--boxes", "missing.json"], "--boxes cannot be read from missing.json"),
        (["--boxes", "BOXES", "--faces", "2"], "--faces names face 2"),
        (["--boxes", "BOXES", "--ratio", "-1"], "--ratio is -1"),
        (["--boxes", "BOXES", "--feather", "2"], "--feather is 2"),
        (["--boxes", "BOXES", "--offsets", "9"], "--offsets has 9 s"),
        (["--boxes", "BOXES", "--offsets", "soon"], "--offsets are 'soon'"),
        (["--boxes", "BOXES", "--driving-boxes", "DRIVING", "--driving-faces", "7"], "--driving-faces names face 7"),
    ],
)
def test_mistakes_are_one_line(folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "driving.json").write_text("[[5, 5, 30, 40]]")
    files = {"BOXES": "boxes.json", "DRIVING": "driving.json"}
    given = [str(folder / files[option]) if option in files else option for option in options]
    assert run(folder, *given) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and said in error
    assert not (folder / "out.mp4").exists()


def test_a_second_clip_drives_the_second_face(folder: Path) -> None:
    build_video(folder / "other.mp4", 7)
    options = ["--boxes", str(folder / "boxes.json"), "--more-driving", str(folder / "other.mp4")]
    assert run(folder, *options) == 0
    assert len(result(folder)) == 7
