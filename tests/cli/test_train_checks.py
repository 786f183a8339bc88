"""Command `train` refuses what would lose a file, before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from first_order_motion.cli.main import main
from first_order_motion.core.file_lock import held
from support.training_runs import video_settings, write_strips


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(video_settings(write_strips(tmp_path / "data"), steps=1)))
    return path


def refusal(capsys: pytest.CaptureFixture[str], config: Path, folder: Path, *more: str) -> str:
    assert main(["train", str(config), str(folder), "--device", "cpu", *more]) == 1
    return capsys.readouterr().err


def test_a_given_configuration_is_not_overwritten(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = config.rename(tmp_path / "config.yaml")
    text = own.read_text()
    assert "would overwrite the configuration" in refusal(capsys, own, tmp_path)
    assert own.read_text() == text


def test_models_without_their_state_are_not_overwritten(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"older")
    assert "which holds model.safetensors without state.pt" in refusal(capsys, config, folder)
    assert (folder / "model.safetensors").read_bytes() == b"older"


def test_a_run_stays_out_of_the_videos(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "among the videos" in refusal(capsys, config, tmp_path / "data" / "train" / "run")


def test_a_second_run_in_a_folder_is_refused(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    with held(tmp_path / "run" / ".lock") as mine:
        assert mine and "Another run is at work" in refusal(capsys, config, tmp_path / "run")
    assert not [*(tmp_path / "run").iterdir()]
    assert main(["train", str(config), str(tmp_path / "run"), "--device", "cpu"]) == 0


def test_all_networks_frozen_and_leave_no_folder(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen = "train.freeze=[generator, kp_detector]"
    assert "lists all networks" in refusal(capsys, config, tmp_path / "run", "--set", frozen)
    assert not (tmp_path / "run").exists()
