"""Reconstruction: numbers against closed forms, for a model that shows grey, and the command on files."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces import landmarks
from first_order_motion.animation.predictor import Predictor
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import Animator, AnimatorSpec, Motion, Prepared
from first_order_motion.training.evaluation.face_judges import IdentityJudge, LandmarkJudge, load_identity_judge
from first_order_motion.training.evaluation.reconstruction import reconstruct, ssim
from first_order_motion.training.evaluation.tally import Tally
from support.command_line import build_files
from support.media_files import build_video
from support.packages import put_module
from torch import Tensor, nn

GREY = 0.5


class GreyAnimator(Animator):
    """Model whose pictures are grey, whatever it is shown."""

    spec = AnimatorSpec("grey", 32, 1, ("relative", "standard"))

    def prepare(self, source: Tensor) -> Prepared:
        return Prepared(self.motion(source), {})

    def motion(self, driving: Tensor) -> Motion:
        return Motion(torch.zeros(len(driving), 1, 2))

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        return torch.full((len(motion), 3, 32, 32), GREY)


class Plain:
    """Clip of pictures of one value each."""

    def __init__(self, name: str, values: list[int]) -> None:
        self.name, self._frames = name, torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 32, 32, 3)

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, index: int) -> Tensor:
        return self._frames[index : index + 1]

    def chunks(self, size: int):
        return iter(torch.split(self._frames, size))


def grey_predictor() -> Predictor:
    return Predictor(GreyAnimator(), torch.device("cpu"))


def test_numbers_against_closed_forms() -> None:
    values = [[0, 51, 102, 255, 255, 0, 25, 50, 75, 100], [204, 153]]
    done = reconstruct(grey_predictor(), [Plain(f"{i}", part) for i, part in enumerate(values)])
    assert (done.videos, done.frames) == (2, 12)
    truth = np.array([value for part in values for value in part]) / 255
    first = np.repeat([part[0] / 255 for part in values], [10, 2])
    for name, guess in (("model", np.full(12, GREY)), ("copy", first)):
        assert done.measures["L1"][name] == pytest.approx(np.abs(guess - truth).mean(), abs=1e-6)
        assert done.measures["PSNR"][name] == pytest.approx(-10 * math.log10(np.square(guess - truth).mean()), abs=1e-4)
        similar = (2 * guess * truth + 1e-4) / (guess**2 + truth**2 + 1e-4)  # without any variance
        assert done.measures["SSIM"][name] == pytest.approx(similar.mean(), abs=1e-4)


def test_frames_of_each_video_can_be_limited() -> None:
    done = reconstruct(grey_predictor(), [Plain("a", [0] * 20), Plain("b", [255] * 3)], most_frames=5)
    assert done.frames == 8
    assert done.measures["L1"]["copy"] == 0 and done.measures["PSNR"]["copy"] == math.inf


def test_equal_pictures_are_similar_and_others_are_not() -> None:
    noise = np.random.default_rng(0).random((32, 32, 3), np.float32)
    assert ssim(noise, noise) == pytest.approx(1)
    assert ssim(noise, 1 - noise) < 0


def test_keypoint_distance_and_missing_rate() -> None:
    """Landmarks are the brightness of a picture, and dark ones show no face."""

    def find(pictures: np.ndarray) -> list[np.ndarray | None]:
        return [None if (value := picture.mean()) < 20 else np.full((68, 2), value) for picture in pictures]

    shades = torch.tensor([0.0, 40, 80, 120]).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) / 255
    guess = torch.tensor([90.0, 43, 0, 115]).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) / 255
    tally = Tally()
    LandmarkJudge(find)(tally, {"model": guess}, shades)
    assert tally.means() == pytest.approx(
        {"missing rate model": 1 / 3, "average keypoint distance model": (3 + 5) / 2}, abs=1e-6
    )


class MeanColour(nn.Module):
    """Embedding by the mean colour."""

    def forward(self, pictures: Tensor) -> Tensor:
        assert pictures.shape[1:] == (3, 160, 160)
        return pictures.mean((2, 3))


def test_identity_distance() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    guess = truth + torch.tensor([3.0, 4.0, 0.0]).view(1, 3, 1, 1) * 128 / 255
    tally = Tally()
    IdentityJudge(MeanColour())(tally, {"model": guess}, truth)
    assert tally.means()["identity distance model"] == pytest.approx(5, abs=1e-4)


def test_weights_of_the_identity_network_are_read_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    torch.save(
        {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "logits.weight": torch.ones(9, 3)}, tmp_path / "w.pt"
    )
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(InputError, match="needs the package facenet-pytorch"):
        load_identity_judge(tmp_path / "w.pt")
    put_module(monkeypatch, "facenet_pytorch")
    put_module(monkeypatch, "facenet_pytorch.models")
    put_module(
        monkeypatch,
        "facenet_pytorch.models.inception_resnet_v1",
        InceptionResnetV1=lambda pretrained, classify: nn.Linear(2, 3),
    )
    assert isinstance(load_identity_judge(tmp_path / "w.pt"), IdentityJudge)
    with pytest.raises(CheckpointError):
        load_identity_judge(tmp_path / "script.pt")


def test_the_command_writes_a_table_and_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_files(tmp_path)
    (tmp_path / "data" / "test").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        build_video(tmp_path / "data" / "test" / name, 4)
    (tmp_path / "data" / "test" / "a.mp4").write_bytes(b"broken")
    monkeypatch.setattr(landmarks, "missing_parts", lambda: ["the package face-alignment"])
    table, numbers = tmp_path / "table.md", tmp_path / "numbers.json"
    command = [
        "evaluate",
        str(tmp_path / "tiny.safetensors"),
        str(tmp_path / "data"),
        "--device",
        "cpu",
        "--frames",
        "3",
    ]
    assert main([*command, "--output", str(table), "--json", str(numbers)]) == 0
    content = json.loads(numbers.read_text())
    assert (content["videos"], content["frames"]) == (2, 6)
    assert 0 < content["measures"]["L1"]["copy"] < 1 and {*content["measures"]} == {"L1", "PSNR", "SSIM"}
    assert f"| L1 | {content['measures']['L1']['model']:.4f} |" in table.read_text()
    assert table.read_text().strip() in capsys.readouterr().out
    assert main([command[0], command[1], str(tmp_path / "driving.mp4"), *command[3:]]) == 0
    assert "1 videos, 3 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--frames", "0"], "--frames is 0; 1 or more"),
        (["--json", "MODEL"], "--json is .*overwrite the checkpoint"),
        (["--split", "train"], "has 0 videos to train with"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture) -> None:
    model = str(build_files(tmp_path) / "tiny.safetensors")
    (tmp_path / "data" / "train").mkdir(parents=True)
    given = [model if option == "MODEL" else option for option in options]
    assert main(["evaluate", model, str(tmp_path / "data"), "--device", "cpu", *given]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(said, error), error
