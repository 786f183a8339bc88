"""Options that would have no effect, or that cannot be, are refused or told of, the cheap ones before any weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from first_order_motion.cli.main import main
from PIL import Image
from support.command_line import build_files, command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files of a run, a square picture, and boxes inside and outside of the pictures."""
    build_files(tmp_path)
    Image.open(tmp_path / "source.png").resize((64, 64)).save(tmp_path / "square.png")
    (tmp_path / "inside.json").write_text(json.dumps([[10, 10, 40, 40]]))
    (tmp_path / "outside.json").write_text(json.dumps([[10, 10, 40, 40], [900, 10, 940, 40]]))
    (tmp_path / "two.json").write_text(json.dumps([[2, 2, 20, 20], [30, 4, 60, 40]]))
    return tmp_path


def refusal(files: Path, capsys: pytest.CaptureFixture[str], *options: str, source: str = "square.png") -> str:
    assert main(command(files, *options, source=source)) == 1
    assert not (files / "result.mp4").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--batch", "0"], "--batch is 0"),
        (["--anchor", "99"], "--anchor is 99"),
        (["--detail", "2"], "--detail is 2"),
        (["--strength", "9"], "--strength is 9"),
        (["--enhance-strength", "2"], "--enhance-strength is 2"),
        (["--source-ends", "mirror"], "--source-ends was given; it is for a source that is a video"),
        (["--source-motion", "add"], "--source-motion was given"),
    ],
)
def test_what_is_cheap_to_check_is_checked_before_the_weights_are_read(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: list[str], says: str
) -> None:
    from first_order_motion.cli import models

    monkeypatch.delattr(models, "build_predictor")
    assert says in refusal(files, capsys, *option)


def test_boxes_for_driving_mean_nothing_to_a_whole_picture(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(files, capsys, "--driving-boxes", str(files / "inside.json"))
    assert "--driving-boxes were given" in said and "the whole picture is animated" in said
    for option in (["--smooth-crop"], ["--upright"], ["--offsets", "0,1"]):
        assert f"{option[0]} was given; it is for faces" in refusal(files, capsys, *option)


def test_boxes_outside_of_the_pictures(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(files, capsys, "--boxes", str(files / "outside.json"), source="source.png")
    assert "--boxes have [900, 10, 940, 40] at place 1, outside of the picture's 64 x 48 pixels" in said
    given = ["--boxes", str(files / "inside.json"), "--driving-boxes", str(files / "outside.json")]
    assert "--driving-boxes have [900" in refusal(files, capsys, *given, source="source.png")


def test_detail_of_a_small_picture_is_told_to_show_nothing(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(command(files, "--detail", source="square.png")) == 0
    assert "Detail shows nothing here: the source has no more than the 64 pixels" in caplog.text


def test_motion_of_one_of_two_faces_is_told(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = ["--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu"]
    paths = [str(files / name) for name in ("driving.mp4", "out.safetensors")]
    with caplog.at_level("INFO"):
        assert main(["motion", "read", *paths, *given, "--driving-boxes", str(files / "two.json")]) == 0
    assert "Of 2 faces in the driving clip, 1 drives." in caplog.text


def test_motion_is_read_in_batches_of_one_or_more(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu", "--batch", "0"]
    assert main(["motion", "read", str(files / "driving.mp4"), str(files / "out.safetensors"), *given]) == 1
    assert "--batch is 0; 1 or more was wanted" in capsys.readouterr().err


def test_published_names_are_suggested(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / name) for name in ("source.png", "driving.mp4", "result.mp4")]
    assert main(["run", *paths, "--model", "vox-avd"]) == 1
    assert "Did you mean vox-adv?" in capsys.readouterr().err
