"""Options of detail and inspection on the command line."""

from pathlib import Path

import pytest
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.cli.main import main
from support.architectures import SIDE
from support.command_line import COUNT, build_files, command


def test_detail_and_inspection(tmp_path: Path) -> None:
    files = build_files(tmp_path)
    assert main(command(files, "--detail", "--detail-size", "100", "--inspect", str(files / "seen.mp4"))) == 0
    result, seen = open_clip(files / "result.mp4"), open_clip(files / "seen.mp4")
    assert len(result) == len(seen) == COUNT
    assert result.frame(0).shape[1:3] == (100, 100) and seen.frame(0).shape[1:3] == (2 * SIDE, 3 * SIDE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--detail", "2"], "--detail is 2"),
        (["--detail-size", "100"], "--detail-size is 100"),
        (["--detail", "--detail-size", "99"], "--detail-size is 99; an even number"),
        (["--inspect", "seen.txt"], "seen.txt ends in .txt"),
    ],
)
def test_refusals(tmp_path: Path, given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = build_files(tmp_path)
    assert main(command(files, *given)) == 1
    assert words in capsys.readouterr().err
    assert not (files / "result.mp4").exists()
