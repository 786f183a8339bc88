"""Enhancement on the command line, and from file to file: faces before they are pasted, or whole frames."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.enhance import Enhancer
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.framing import Framing
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.video import animate_file
from first_order_motion.cli.main import main
from PIL import Image
from support.architectures import CPU
from support.enhancers import StandIn, compact_state, negative, same
from support.media_files import build_video
from torch import Tensor

SMALL = ["--model", "drawn-faces", "--device", "cpu"]
BOX = [10, 40, 50, 80]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A wide picture, the box of its face, a clip of four frames, and, with spandrel, an upscaler."""
    noise = np.random.default_rng(0).integers(0, 256, (15, 24, 3), np.uint8)
    Image.fromarray(noise).resize((192, 120), Image.Resampling.BICUBIC).save(tmp_path / "wide.png")
    (tmp_path / "boxes.json").write_text(json.dumps([BOX]))
    build_video(tmp_path / "clip.mp4", 4)
    return tmp_path


def run(folder: Path, *options: str, output: str = "out.mp4") -> int:
    paths = [str(folder / name) for name in ("wide.png", "clip.mp4", output)]
    return main(["run", *paths, *SMALL, *options])


def upscaler(folder: Path) -> str:
    pytest.importorskip("spandrel", reason="spandrel is not installed: pip install -r tests/requirements.txt")
    torch.save({"params": compact_state(2)}, folder / "2x.pth")
    return str(folder / "2x.pth")


def drawn(folder: Path, predictor: Predictor, enhancer: Enhancer | None) -> Tensor:
    """Animate the face and read the lossless frames back: (4, H, W, 3)."""
    animate_file(
        folder / "wide.png",
        folder / "clip.mp4",
        folder / "out.png",
        predictor,
        framing=Framing("face", boxes=[Face(*BOX)]),
        enhancer=enhancer,
    )
    files = sorted(folder.glob("out_*.png"))
    return torch.stack([torch.tensor(np.asarray(Image.open(file), np.int32)) for file in files])


def test_faces_are_enhanced_before_they_are_pasted(folder: Path) -> None:
    predictor = Predictor.load("drawn-faces", device="cpu")
    plain = drawn(folder, predictor, None)
    unchanged = drawn(folder, predictor, Enhancer(StandIn(same, "GFPGAN", "FaceSR"), CPU, steadiness=0.5))
    assert (unchanged - plain).abs().float().mean() < 1 and not torch.equal(plain[0], plain[3])
    turned = drawn(folder, predictor, Enhancer(StandIn(negative), CPU))
    assert torch.equal(turned[:, :, 100:], plain[:, :, 100:]), "nothing outside the face"
    face = slice(None), slice(50, 70), slice(20, 40)
    assert (turned[face] - (255 - plain[face])).abs().max() <= 2


def test_whole_frames_get_the_size_that_the_enhancer_gives(folder: Path) -> None:
    whole = ["--framing", "stretch", "--enhance", upscaler(folder)]
    assert run(folder, *whole, "--sheet", str(folder / "sheet.png")) == 0
    assert VideoClip(folder / "out.mp4").frame(0).shape == (1, 256, 256, 3)
    assert len(VideoClip(folder / "out.mp4")) == 4 and (folder / "sheet.png").exists()
    assert run(folder, *whole, "--enhance-strength", "0.5", "--enhance-steadiness", "0.5") == 0


def test_faces_of_a_wide_picture(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert run(folder, "--boxes", str(folder / "boxes.json"), "--enhance", upscaler(folder)) == 0
    assert VideoClip(folder / "out.mp4").frame(0).shape == (1, 120, 192, 3)
    assert "Compact from 2x.pth" in caplog.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--enhance", "nowhere.pth"], "nowhere.pth does not exist"),
        (["--enhance", "FILE", "--enhance-strength", "2"], "--enhance-strength is 2; 0 to 1"),
        (["--enhance", "FILE", "--enhance-steadiness", "1"], "--enhance-steadiness is 1; 0 to below 1"),
        (["--enhance-strength", "0"], "--enhance-strength was given without a model. Add --enhance FILE."),
        (["--enhance-unit-range"], "--enhance-unit-range was given without a model"),
        (["--enhance", "clip.mp4"], "is a video"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str) -> None:
    file = upscaler(folder)
    given = [file if word == "FILE" else str(folder / word) if word == "clip.mp4" else word for word in options]
    assert run(folder, "--framing", "stretch", *given) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert says in line
    assert not (folder / "out.mp4").exists()


def test_the_weights_are_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "2x.mp4").write_bytes(b"weights")
    assert run(folder, "--enhance", str(folder / "2x.mp4"), output="2x.mp4") == 1
    assert "the enhancer" in capsys.readouterr().err and (folder / "2x.mp4").read_bytes() == b"weights"


def test_without_spandrel(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    assert run(folder, "--framing", "stretch", "--enhance", "any.pth") == 1
    assert "--enhance needs the package spandrel" in capsys.readouterr().err
