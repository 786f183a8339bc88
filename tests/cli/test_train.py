"""Command `train` as a program: killed or stopped in the middle it goes on step by step as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from support.paths import ROOT
from support.training_runs import video_settings, video_trainer, write_strips

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them"),
]
LIMIT = 120  # seconds
STEPS = 24


def start(config: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "animate.py"), "train", str(config), str(folder), "--device", "cpu"]
    return subprocess.Popen(
        [*command, "--threads", "1"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def logged(folder: Path) -> list[list[str]]:
    """Losses of every step; the columns of time differ."""
    path = folder / "log.csv"
    lines = path.read_text().splitlines() if path.exists() else []
    names = lines[0].split(",") if lines else []
    timed = [names.index(name) for name in ("minutes", "steps_per_second", "waiting") if name in names]
    return [[cell for place, cell in enumerate(line.split(",")) if place not in timed] for line in lines]


def wait_for_steps(process: subprocess.Popen[str], folder: Path, steps: int) -> None:
    end = time.monotonic() + LIMIT
    while len(logged(folder)) <= steps:
        assert process.poll() is None and time.monotonic() < end, process.communicate(timeout=LIMIT)
        time.sleep(0.02)


def test_a_killed_and_a_stopped_run_go_on_as_the_unbroken_one(tmp_path: Path) -> None:
    data = write_strips(tmp_path / "data")
    params = {"save_minutes": 1e-6, "ema_decay": 0.5, "steps": STEPS}
    settings = video_settings(data, **params)
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    video_trainer(data, tmp_path / "whole", **params).run()
    broken = start(config, tmp_path / "broken")
    wait_for_steps(broken, tmp_path / "broken", 3)
    broken.kill()
    broken.communicate(timeout=LIMIT)
    at_death = len(logged(tmp_path / "broken"))
    broken = start(config, tmp_path / "broken")
    wait_for_steps(broken, tmp_path / "broken", at_death + 3)
    broken.send_signal(signal.SIGTERM)
    _, messages = broken.communicate(timeout=LIMIT)
    assert broken.returncode == 128 + signal.SIGTERM and "stopped; kept: " in messages and "resumed" in messages
    assert len(logged(tmp_path / "broken")) < STEPS + 1
    _, messages = start(config, tmp_path / "broken").communicate(timeout=LIMIT)
    expected, found = logged(tmp_path / "whole"), logged(tmp_path / "broken")
    assert len(expected) == STEPS + 1 and found == expected, messages
    one, other = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "broken"))
    for part in ("networks", "optimizers"):
        torch.testing.assert_close(one[part], other[part], rtol=0, atol=0)
