"""Paths that no command can use: each is refused in words, and none is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from first_order_motion.cli.main import main

COMMANDS = (
    ("run", "PATH", "b.mp4", "c.mp4"),
    ("run", "a.png", "b.mp4", "PATH"),
    ("run", "a.png", "b.mp4", "c.mp4", "--checkpoint", "PATH"),
    ("run", "a.png", "b.mp4", "c.mp4", "--anchor", "PATH"),
    ("run", "a.png", "b.mp4", "c.mp4", "--more-driving", "PATH"),
    ("batch", "PATH"),
    ("motion", "mix", "a", "b", "PATH"),
    ("live", "PATH"),
    ("demo", "--output", "PATH"),
    ("convert", "PATH", "b"),
    ("prepare", "PATH", "b"),
    ("train", "PATH"),
    ("train", "vox-256", "PATH"),
    ("compress", "PATH", "b"),
    ("export", "PATH"),
    ("page", "PATH"),
    ("page", "a", "--pictures", "PATH"),
    ("weights", "--folder", "PATH"),
    ("evaluate", "a", "PATH"),
)


def refused(command: tuple[str, ...], path: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the last line of a refusal by the parser."""
    with pytest.raises(SystemExit) as stop:
        main([path if word == "PATH" else word for word in command])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_takes_a_text_that_names_no_file(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    kinds = {
        "": "is empty",
        "a\0b": "zero byte",
        "n" * 256: "longer than",
        "d/" * 2100: "longer than",
        "loop": "circle",
    }
    for path, says in kinds.items():
        assert says in refused(command, path, capsys)
    assert [file.name for file in tmp_path.iterdir()] == ["loop"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize(
    "command",
    [
        ("info", "pipe"),
        ("info", "pipe.safetensors"),
        ("batch", "pipe.csv"),
        ("run", "picture", "pipe", "c.mp4"),
        ("run", "picture", "picture", "c.mp4", "--boxes", "pipe", "--model", "drawn-faces"),
        ("convert", "pipe", "b.safetensors"),
        ("train", "pipe.yaml"),
        ("evaluate", "pipe"),
        ("motion", "describe", "pipe"),
    ],
    ids=" ".join,
)
def test_a_pipe_is_refused_before_it_is_opened(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pipe", "pipe.csv", "pipe.yaml", "pipe.safetensors"):
        os.mkfifo(tmp_path / name)
    assert main([*command]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and error[0].startswith("error: ")


def test_what_the_system_refuses_comes_without_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert main(["info", str(tmp_path / "a.png")]) == 1
    error = capsys.readouterr().err.strip()
    assert error.endswith("a.png cannot be used (Permission denied). Check the path, its permissions and the disk.")
