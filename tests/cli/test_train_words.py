"""Words of `train` and `compress`: names that are nearly right, empty sections, starts by name, ends and locks."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
import yaml
from first_order_motion.cli import train as command
from first_order_motion.cli.main import main
from first_order_motion.cli.progress import progress_bar
from first_order_motion.core.errors import InputError, MissingWeightsError
from first_order_motion.core.file_lock import held
from first_order_motion.training.trainer import told
from support.command_line import build_files
from support.training_runs import video_settings, video_trainer, write_strips


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(video_settings(write_strips(tmp_path / "data"), steps=1)))
    return path


def train(config: Path | str, folder: Path, *more: str) -> int:
    return main(["train", str(config), str(folder), "--device", "cpu", "--threads", "1", *more])


def test_a_name_that_is_nearly_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("smal-128", tmp_path / "run") == 1
    assert "Did you mean small-128?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (None, "model_params is empty; settings by name were wanted"),
        ({"common_params": None, "generator_params": {}}, "model_params.common_params is empty"),
    ],
)
def test_an_empty_section_is_told_in_plain_words(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: object, says: str
) -> None:
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "model_params": model}))
    assert train(config, tmp_path / "run") == 1
    assert says in capsys.readouterr().err


def test_a_start_is_looked_for_where_models_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "default_folders", lambda _: [tmp_path / "models"])
    (tmp_path / "models").mkdir()
    kept = tmp_path / "models" / "mine.pth"
    kept.write_bytes(b"weights")
    shutil.copyfile(kept, tmp_path / "models" / "vox-cpk.pth.tar")
    assert command.find_start(Path("mine.pth"), "fomm") == kept
    assert command.find_start(Path("vox"), "fomm") == tmp_path / "models" / "vox-cpk.pth.tar"
    assert command.find_start(tmp_path / "other.pth", "fomm") == tmp_path / "other.pth"
    assert command.find_start(None, "fomm") is None
    with pytest.raises(MissingWeightsError, match=r"vox-adv-cpk\.pth\.tar"):
        command.find_start(Path("vox-adv"), "fomm")
    with pytest.raises(InputError, match=r"start is vox-avd, .* Did you mean vox-adv\?"):
        command.find_start(Path("vox-avd"), "fomm")


def test_a_finished_run_says_that_nothing_was_trained(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train(config, tmp_path / "run") == 0
    state = (tmp_path / "run" / "state.pt").stat().st_mtime_ns
    caplog.clear()
    assert train(config, tmp_path / "run") == 0
    assert "is over, after 1 steps: nothing was trained. Give more --steps" in caplog.text
    assert (tmp_path / "run" / "state.pt").stat().st_mtime_ns == state
    assert not (tmp_path / "run" / ".lock").exists()


def test_what_is_fatal_comes_before_the_warning_of_vgg(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with caplog.at_level(logging.WARNING):
        assert train(config, tmp_path / "run", "--set", "train.freeze=[generator, kp_detector]") == 1
        assert "pictures are compared by their pixels" not in caplog.text
        assert train(config, tmp_path / "run") == 0
    assert caplog.text.count("pictures are compared by their pixels") == 1


def test_the_last_step_is_evaluated_and_the_best_kept(tmp_path: Path) -> None:
    data = write_strips(tmp_path / "data")
    run = video_trainer(data, tmp_path / "run", steps=2, evaluate_every=50)
    losses: list[str] = []
    run.run(lambda _done, _total, words: losses.append(words))
    assert (tmp_path / "run" / "best.safetensors").is_file() and run.counters.best is not None
    assert "evaluation" in (tmp_path / "run" / "log.csv").read_text()


def test_losses_stand_beside_the_bar() -> None:
    assert told({"perceptual": 12.345, "value": 0.00012, "more": 1.0, "most": 2.0}) == (
        "perceptual 12.3, value 0.00012, more 1"
    )
    with progress_bar("step") as progress:
        progress(1, 2, "perceptual 12.3")
        progress(2, 2)


def test_two_that_compress_stay_out_of_each_other_s_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = build_files(tmp_path)
    (tmp_path / "small").mkdir()
    given = ["compress", str(files / "tiny.safetensors"), str(tmp_path / "small"), "--keep", "0.9", "--least", "2"]
    with held(tmp_path / "small" / ".lock") as mine:
        assert mine and main(given) == 1
        assert "Another run is at work" in capsys.readouterr().err
    assert main(given) == 0
    assert (tmp_path / "small" / "pruned.safetensors").is_file() and not (tmp_path / "small" / ".lock").exists()
