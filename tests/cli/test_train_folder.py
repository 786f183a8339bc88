"""A run tells of its end and of changed settings, and leaves a configuration as it was given."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml
from first_order_motion.cli.main import main
from support.training_runs import video_settings, write_strips


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(video_settings(write_strips(tmp_path / "data"), steps=1)))
    return path


def train(config: Path, folder: Path, *options: str) -> int:
    return main(["train", str(config), str(folder), "--device", "cpu", "--threads", "1", *options])


def test_a_run_says_how_it_ended_and_what_changed(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    with caplog.at_level(logging.INFO):
        assert train(config, run) == 0
    assert any(message.startswith("Done after 1 steps") for message in caplog.messages)
    assert not (run / ".lock").exists()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert train(config, run, "--steps", "2", "--set", "train.clip_norm=7", "--start", "other.pth") == 0
    changed = [message for message in caplog.messages if "with other settings than it began with" in message]
    assert len(changed) == 1 and changed[0].endswith(": clip_norm.")  # its length may change
    assert any("--start other.pth is not read" in message for message in caplog.messages)


def test_the_configuration_that_was_given_stays_as_it_is(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(config, run) == 0
    text = "# mine\n" + (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text)
    assert train(run / "config.yaml", run, "--steps", "2") == 0
    assert (run / "config.yaml").read_text() == text
