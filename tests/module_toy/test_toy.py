"""A new architecture is one folder and one row: it joins the registry, the front door and the command line."""

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.registry import architectures, named_weights, published_names
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.cli.main import build_parser, main
from first_order_motion.core.weights.checkpoint import read_checkpoint
from support.architectures import CPU, TINY, blobs, driven, source_picture, tiny


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "toy.pth"
    torch.save({name: part.state_dict() for name, part in tiny("toy").named_children()}, path)
    return path


def test_it_is_an_architecture_like_the_others() -> None:
    assert "toy" in architectures() and "toy" in TINY and published_names("toy") == ["toy"]
    assert named_weights("toy")[0] is architectures()["toy"]


def test_the_front_door_opens_its_file(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu")
    wanted = driven(tiny("toy"), source_picture(), blobs(3), AnimateOptions())
    got = torch.cat([*predictor.animate(source_picture(), blobs(3))])
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_the_command_line_offers_runs_and_converts_it(weights: Path, tmp_path: Path) -> None:
    options = build_parser().parse_args(["run", "a", "b", "c", "--architecture", "toy"])
    assert options.architecture == "toy"
    picture, result = next(iter(sample_pictures().values())), tmp_path / "result.mp4"
    ours = ["--checkpoint", str(weights), "--device", str(CPU)]
    assert main(["run", str(picture), str(DRIVING), str(result), *ours]) == 0
    assert len(VideoClip(result)) == len(VideoClip(DRIVING))
    assert main(["convert", str(weights), str(tmp_path / "toy.safetensors")]) == 0
    assert read_checkpoint(tmp_path / "toy.safetensors").metadata["architecture"] == "toy"


def test_its_options_are_refused_by_name(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, result = next(iter(sample_pictures().values())), tmp_path / "result.mp4"
    given = ["run", str(picture), str(DRIVING), str(result), "--checkpoint", str(weights), "--variant", "vox256"]
    assert main(given) == 1
    assert "error: --variant was given; Toy does not take it." in capsys.readouterr().err
