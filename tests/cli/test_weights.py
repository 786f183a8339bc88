"""Command `weights`: its table, its JSON, its exit status and its refusals."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from first_order_motion.cli.main import main
from first_order_motion.core.installation import PACK


def test_the_table_says_what_is_there_and_how_the_rest_is_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(PACK / "checkpoints" / "drawn-faces.safetensors", tmp_path / "drawn-faces.safetensors")
    assert main(["weights", "--folder", str(tmp_path), "--check"]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line for line in said.splitlines() if line}
    assert " whole " in rows["drawn-faces"] and "--download vox-adv" in rows["vox-adv"]
    assert "https://github.com/JialeTao/MRFA" in rows["celebvhq"]
    assert f"Weights go into {tmp_path}." in said and "--download vox --architecture spline" in said


def test_damage_is_told_by_the_exit_status_and_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fashion.pth.tar").write_bytes(b"<html>")
    assert main(["weights", "--folder", str(tmp_path), "--check", "--json", "--architecture", "fomm"]) == 1
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)["weights"]}
    assert found["fashion"]["state"] == "damaged" and "a web page" in found["fashion"]["note"]
    assert found["vox"]["can_be_fetched"] and not found["taichi"]["can_be_fetched"]
    assert main(["weights", "--folder", str(tmp_path)]) == 0


def test_one_link_out_of_the_folder_does_not_end_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vox-cpk.pth.tar").symlink_to(tmp_path / "elsewhere")
    assert main(["weights", "--folder", str(tmp_path / "models")]) == 0
    said = capsys.readouterr().out
    assert "vox: refused: 'vox-cpk.pth.tar' leads out of" in said and "1 refused" in said


def test_what_is_no_file_is_told_of_in_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "taichi-cpk.pth.tar")
    (tmp_path / "fashion.pth.tar").mkdir()
    (tmp_path / "vox-cpk.pth.tar").symlink_to("nowhere")
    assert main(["weights", "--folder", str(tmp_path), "--architecture", "fomm", "--check"]) == 1
    said = capsys.readouterr().out
    assert f"taichi: refused: {tmp_path / 'taichi-cpk.pth.tar'} is a folder, a pipe or a device; a file was" in said
    assert f"fashion: refused: {tmp_path / 'fashion.pth.tar'} is a folder, a pipe or a device; a file was" in said
    assert f"vox: refused: {tmp_path / 'vox-cpk.pth.tar'} is a link that leads to no file" in said


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--download", "fashion"], "has no published SHA-256"),
        (["--download", "vox"], "Say which by --architecture"),
        (["--download", "fashio"], "Did you mean fashion?"),
        (["--folder", __file__], "--folder is"),
        (["--folder", f"{__file__}/models"], "cannot be made"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path, given: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "--folder", str(tmp_path), *given]) == 1
    assert says in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
