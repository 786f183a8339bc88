"""From a folder of videos to an animated picture: prepare, train, evaluate and run, one after the other."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import yaml
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.media.writer import VideoWriter
from first_order_motion.cli.main import main
from first_order_motion.training.samples import sample_clip, write_tune
from support.paths import ROOT
from support.training_runs import SIZE, video_settings

RATES = (Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(12))
FRAMES = 8


def draw_videos(folder: Path) -> None:
    """Write 20 short clips of faces: some with sound, at odd rates, and one of them cut off."""
    folder.mkdir()
    write_tune(folder.parent / "tune.wav", 1.0)
    for number in range(20):
        sound = folder.parent / "tune.wav" if number % 5 == 0 else None
        with VideoWriter(folder / f"clip{number:02}.mp4", RATES[number % 4], audio_from=sound) as writer:
            writer.write(sample_clip(number, FRAMES / 24, 2 * SIZE))
    broken = folder / "clip07.mp4"
    broken.write_bytes(broken.read_bytes()[:400])


@pytest.mark.slow
def test_from_videos_to_an_animated_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    videos, data, run = tmp_path / "videos", tmp_path / "data", tmp_path / "run"
    draw_videos(videos)
    assert main(["prepare", str(videos), str(data), "--size", str(SIZE), "--least-frames", "4"]) == 0
    said = capsys.readouterr()
    assert "clip07.mp4" in said.out + said.err
    settings = video_settings(data, steps=100, batch_size=4, num_repeats=8, lr_generator=3e-3, lr_kp_detector=3e-3)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    assert main(["train", str(tmp_path / "config.yaml"), str(run), "--device", "cpu", "--set", "train.keep=2"]) == 0
    rows = [*csv.DictReader((run / "log.csv").open())]
    first, last = (sum(float(row["pyramid"]) for row in part) for part in (rows[:10], rows[-10:]))
    assert last < 0.8 * first
    errors: list[float] = []
    for model in ("checkpoints/00000000.safetensors", "model.safetensors"):
        numbers = tmp_path / "numbers.json"
        assert main(["evaluate", str(run / model), str(data), "--json", str(numbers), "--device", "cpu"]) == 0
        errors.append(json.loads(numbers.read_text())["measures"]["L1"]["model"])
    assert errors[1] < 0.9 * errors[0]
    face, result = ROOT / "workflows" / "samples" / "face.png", tmp_path / "result.mp4"
    driving = str(videos / "clip00.mp4")
    assert main(["run", str(face), driving, str(result), "--checkpoint", str(run / "model.safetensors")]) == 0
    assert len(VideoClip(result)) == FRAMES
