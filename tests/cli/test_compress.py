"""Command `compress`: prunes, trains in phases and writes whole files, or says in one line why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.registry import load_animator
from first_order_motion.animation.samples import DRIVING
from first_order_motion.cli.main import main
from first_order_motion.core.types import Animator
from first_order_motion.core.weights.checkpoint import read_checkpoint
from support.command_line import build_files
from support.paths import ROOT
from support.training_runs import write_strips
from torch import Tensor

BUNDLED = ROOT / "checkpoints" / "drawn-faces.safetensors"
SHORT = ("--steps", "2", "--threads", "1", "--device", "cpu", "--least", "1")
CHANGES = ("batch_size=2", "scales=[1]", "dataloader_workers=0", "ema_decay=0.5", "log_every=1")
QUICK = (*SHORT, *(word for change in CHANGES for word in ("--set", f"train.{change}")))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny FOMM's weights, and videos."""
    folder = build_files(tmp_path_factory.mktemp("compress"))
    write_strips(folder / "data", size=64)
    return folder


def weights(path: Path, part: str) -> dict[str, Tensor]:
    return dict(read_checkpoint(path).components[part])


def differs(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return any(not torch.equal(value, other[name]) for name, value in one.items())


def fomm(path: Path) -> Animator:
    return load_animator(path, "fomm")


def test_without_data_a_model_is_pruned(files: Path, tmp_path: Path) -> None:
    assert main(["compress", str(files / "tiny.safetensors"), str(tmp_path / "a"), "--least", "1", "--half"]) == 0
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["pruned.safetensors"]
    config = fomm(tmp_path / "a" / "pruned.safetensors").config
    assert config.generator.block_expansion == 4 and config.kp_detector.max_features == 8
    assert weights(tmp_path / "a" / "pruned.safetensors", "generator")["first.conv.weight"].dtype == torch.float16


@pytest.mark.slow
def test_phases_train_one_network_beside_the_large_other_then_both(files: Path, tmp_path: Path) -> None:
    large = files / "tiny.safetensors"
    command = ["compress", str(large), str(tmp_path), "--data", str(files / "data"), "--distil", *QUICK]
    command += ["--phases", "kp_detector", "generator", "both"]
    assert main(command) == 0
    pruned, last = tmp_path / "pruned.safetensors", tmp_path / "model.safetensors"
    for phase, resting in (("kp_detector", "generator"), ("generator", "kp_detector")):
        made = tmp_path / phase / "model.safetensors"
        assert not differs(weights(made, resting), weights(large, resting))
        assert differs(weights(made, phase), weights(pruned, phase))
        assert differs(weights(made, phase), weights(last, phase))
    assert fomm(last).config == fomm(pruned).config
    assert read_checkpoint(tmp_path / "both" / "model.safetensors").metadata["distilled_from"] == large.name
    columns = (tmp_path / "both" / "log.csv").read_text().splitlines()[0]
    assert "distilled_prediction" in columns and "distilled_keypoints" in columns
    before = [weights(last, part) for part in ("kp_detector", "generator")]
    last.unlink()
    assert main(command) == 0  # all phases are over: the same comes out
    assert not any(differs(weights(last, part), before.pop(0)) for part in ("kp_detector", "generator"))


def test_one_phase_leaves_the_other_network_pruned_alone(files: Path, tmp_path: Path) -> None:
    command = ["compress", str(files / "tiny.safetensors"), str(tmp_path), "--data", str(files / "data"), *QUICK]
    assert main([*command, "--phases", "kp_detector"]) == 0
    pruned, last = tmp_path / "pruned.safetensors", tmp_path / "model.safetensors"
    assert differs(weights(last, "kp_detector"), weights(pruned, "kp_detector"))
    assert not differs(weights(last, "generator"), weights(pruned, "generator"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{tiny}", "{out}", "--keep", "0"], "--keep is 0; a share above 0, up to 1, was wanted"),
        (["{tiny}", "{out}", "--keep", "2"], "--keep is 2;"),
        (["{tiny}", "{out}", "--least", "0"], "--least is 0;"),
        (["{tiny}", "{out}", "--distil"], "--distil was given without --data"),
        (["{tiny}", "{out}", "--minutes", "5"], "--minutes was given without --data"),
        (["{tiny}", "{out}", "--data", "{data}", "--minutes", "-1"], "--minutes is -1.0;"),
        (["{tiny}", "{out}", "--data", "{out}"], "is no folder; one of videos was wanted"),
        (["{tiny}", "{out}", "--data", "{data}", "--config", "drawn"], "CONFIG is drawn, which trains on no videos"),
        (["{tiny}", "{out}", "--data", "{data}", "--config", "nothing"], "a YAML file was wanted"),
        (["{tiny}", "{out}", "--data", "{data}", "--set", "train.nothing=1"], "unknown settings: nothing"),
        (["{bundled}", "{out}"], "holds the bundled network"),
        (["{clip}", "{out}"], "is a video (MP4); a torch or safetensors file is needed"),
        (["{nowhere}", "{out}"], "nowhere"),
        (["{tiny}", "{tiny}"], "cannot be made"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    places = {
        "tiny": files / "tiny.safetensors",
        "out": tmp_path / "out",
        "data": files / "data",
        "bundled": BUNDLED,
        "clip": DRIVING,
        "nowhere": files / "nowhere.pth",
    }
    assert main(["compress", *(word.format(**places) for word in words)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and says in lines[-1]
    assert not (tmp_path / "out").exists()


def test_the_weight_file_is_not_overwritten(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pruned.safetensors"
    path.write_bytes((files / "tiny.safetensors").read_bytes())
    assert main(["compress", str(path), str(tmp_path)]) == 1
    assert "would overwrite the weight file" in capsys.readouterr().err
    assert path.read_bytes() == (files / "tiny.safetensors").read_bytes()
