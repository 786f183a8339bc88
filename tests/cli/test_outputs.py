"""Output on the command line: never over an input, refused before work begins, and said as it is."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from first_order_motion.animation import samples, video
from first_order_motion.cli import demo
from first_order_motion.cli.main import main
from support.command_line import COUNT, build_files, command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return build_files(tmp_path)


def refusal(args: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that is refused with one line and leaves every file as it was, and return the line."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(args) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_no_output_names_an_input(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "link.mp4").symlink_to("driving.mp4")
    os.link(files / "driving.mp4", files / "hard.mp4")
    shutil.copy(files / "source.png", files / "again_00004.png")
    cases = [
        (command(files, output="driving.mp4"), "OUTPUT is .*overwrite the driving video"),
        (command(files, output="./driving.mp4"), "overwrite the driving video"),
        (command(files, output="link.mp4"), "overwrite the driving video"),
        (command(files, output="hard.mp4"), "overwrite the driving video"),
        (command(files, output="again.png", source="again_00004.png"), "overwrite the source picture"),
        (command(files, "--sheet", str(files / "source.png")), "--sheet is .*overwrite the source picture"),
        (command(files, "--more-sources", str(files / "link.mp4"), output="hard.mp4"), "overwrite the source picture"),
        (command(files, "--sheet", str(files / "again_00001.png"), output="again.png"), "written twice"),
    ]
    for args, says in cases:
        assert re.search(says, refusal(args, files, capsys)), args


def test_what_cannot_be_written_is_refused_before_the_weights_are_read(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "tiny.safetensors").unlink()
    (files / "folder.mp4").mkdir()
    (files / "fixed.mp4").touch(0o444)
    os.mkfifo(files / "pipe.mp4")
    for output in ("none/a.mp4", "none/a.png", "source.png/a.gif", "folder.mp4", "fixed.mp4", "pipe.mp4"):
        assert "cannot be written" in refusal(command(files, output=output), files, capsys)
    assert "there is no folder" in refusal(command(files, "--sheet", str(files / "none" / "s.png")), files, capsys)
    assert "ends in .png was wanted" in refusal(command(files, "--sheet", str(files / "s.jpg")), files, capsys)


def test_results_follow_links_and_keep_permissions(files: Path) -> None:
    (files / "old.mp4").touch()
    (files / "old.mp4").chmod(0o640)
    (files / "link.mp4").symlink_to("old.mp4")
    (files / "a_00002.png").symlink_to("sub/two.png")
    (files / "sub").mkdir()
    assert main(command(files, output="link.mp4")) == 0
    assert (files / "link.mp4").is_symlink() and (files / "old.mp4").stat().st_size > 0
    assert (files / "old.mp4").stat().st_mode & 0o777 == 0o640
    assert main(command(files, output="a.png")) == 0
    assert (files / "a_00002.png").is_symlink() and (files / "sub" / "two.png").stat().st_size > 0
    assert not [*files.rglob(".*")]


def test_numbered_pictures_are_reported_by_their_names(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert main(command(files, output="a.png")) == 0
    assert f"a_00001.png to {files / f'a_{COUNT:05d}.png'}: {COUNT} frames" in caplog.text


def test_both_bars_of_the_best_frame_say_what_they_count(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("first_order_motion.cli.progress.BAR_DELAY", 0)
    assert main(command(files, "--best-frame", "model keypoints")) == 0
    shown = capsys.readouterr().err
    assert "finding the best frame: 100%" in shown and "animating: 100%" in shown


def test_a_disk_that_fills_up_leaves_neither_result_nor_sheet(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    before = sorted(files.iterdir())
    for args in (command(files, "--sheet", str(files / "s.png")), command(files, output="a.png")):
        assert main(args) == 1
        assert "cannot be written (No space left on device)" in capsys.readouterr().err
        assert sorted(files.iterdir()) == before


def test_the_demo_spares_the_samples(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = files / "samples"
    shutil.copytree(samples.SAMPLES, folder)
    monkeypatch.setattr(demo, "sample_pictures", lambda: {path.stem: path for path in folder.glob("*.png")})
    assert "--output is" in refusal(["demo", "--output", str(folder)], files, capsys)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("tiny.safetensors", "overwrite the weight file"),
        ("link.safetensors", "overwrite the weight file"),
        ("new.pth", "ends in .safetensors was wanted"),
        ("disguised.safetensors", "ends in .safetensors was wanted"),
        ("source.png/new.safetensors", "cannot be made"),
        ("folder.safetensors", "it is a folder"),
    ],
)
def test_convert_checks_its_output(files: Path, capsys: pytest.CaptureFixture[str], output: str, says: str) -> None:
    (files / "link.safetensors").symlink_to("tiny.safetensors")
    (files / "disguised.safetensors").symlink_to("source.png")
    (files / "folder.safetensors").mkdir()
    assert says in refusal(["convert", str(files / "tiny.safetensors"), str(files / output)], files, capsys)


@pytest.mark.parametrize("name", ["source", "driving"])
def test_in_python_no_output_names_an_input_either(files: Path, name: str) -> None:
    paths = {"source": files / "source.png", "driving": files / "driving.mp4"}
    shutil.copy(paths["source"], files / "face_00001.png")
    paths["source"] = files / "face_00001.png"
    output = {"source": "face.png", "driving": "driving.mp4"}[name]
    with pytest.raises(ValueError, match=r"output is .* would overwrite"):
        video.animate_file(paths["source"], paths["driving"], files / output)
