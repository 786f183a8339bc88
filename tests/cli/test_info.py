"""Command `info`: what each kind of file is said to be, and what is said of those that are nothing."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from first_order_motion.cli import info as module
from first_order_motion.cli.main import main
from first_order_motion.core.installation import PACK
from first_order_motion.core.weights.find import WeightFiles
from PIL import Image
from support.architectures import tiny
from support.command_line import COUNT, build_files
from support.media_files import build_video


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return build_files(tmp_path)


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["info", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_weights_are_told_with_their_sizes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(files / "tiny.safetensors", capsys)
    assert found["kind"] == "weights" and found["holds"] == "First Order Motion Model (FOMM) weights"
    assert found["architecture"] == "fomm" and found["size"] == "64 pixels"
    assert found["network kp_detector.block_expansion"] == 8 and "float32" in found["part generator"]
    assert found["published as"] == "nothing known" and len(found["SHA-256"]) == 64


def test_published_weights_are_known_by_their_bytes_or_their_name(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundled = told(PACK / "checkpoints" / "drawn-faces.safetensors", capsys)
    assert bundled["published as"] == "drawn-faces (fomm), by its SHA-256"
    named = (files / "tiny.safetensors").rename(files / "vox-cpk.safetensors")
    assert told(named, capsys)["published as"].endswith("vox (fomm), whose SHA-256 is another")


def test_weights_whose_companion_is_missing_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {name: part.state_dict() for name, part in tiny("fsrt").named_children() if name != "kp_detector"}
    torch.save(parts, tmp_path / "vox256.pt")
    monkeypatch.setattr(
        WeightFiles, "of", classmethod(lambda cls, kind, path, folders: cls(kind, path, {}, (tmp_path,)))
    )
    found = told(tmp_path / "vox256.pt", capsys)
    assert found["architecture"] == "fsrt" and "kp_detector.pt" in found["cannot be loaded"]


def test_weights_of_others_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"unet.lora_up.weight": torch.zeros(2)}, tmp_path / "lora.pth")
    found = told(tmp_path / "lora.pth", capsys)
    assert found["architecture"] is None and found["holds"].endswith("it looks like a LoRA")


def test_a_motion_file(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu"]
    assert main(["motion", "read", str(files / "driving.mp4"), str(files / "m.safetensors"), *given]) == 0
    found = told(files / "m.safetensors", capsys)
    assert found["kind"] == "motion" and found["frames"].startswith(f"{COUNT} at 29.97 per second")
    assert "tiny.safetensors" in found["read by"]


def test_a_clip_with_sound(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(files / "driving.mp4", capsys)
    assert (found["kind"], found["frames"]) == ("clip", COUNT)
    assert found["rate"] == "29.97 frames per second (30000/1001)" and found["times"] == "even"
    assert (found["codec"], found["rotation"], found["alpha"]) == ("h264", "none", "none")
    assert found["sound"].startswith("aac, ") and found["seconds"] == pytest.approx(COUNT * 1001 / 30000, abs=1e-3)


def test_a_silent_clip_frames_of_a_folder_and_a_pattern(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_video(files / "silent.mp4", 3, fps=Fraction(10))
    assert told(files / "silent.mp4", capsys)["sound"] == "none"
    (files / "frames").mkdir()
    for number in range(4):
        Image.new("RGB", (20, 12)).save(files / "frames" / f"{number}.png")
    for path in (files / "frames", files / "frames" / "%d.png"):
        found = told(path, capsys)
        assert (found["kind"], found["frames"], found["size"]) == ("clip", 4, "20 x 12")


def test_a_picture_with_a_turn_and_transparency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((8, 12, 4), np.uint8)).save(tmp_path / "a.png", exif=exif)
    found = told(tmp_path / "a.png", capsys)
    assert (found["kind"], found["size"], found["format"], found["alpha"]) == ("picture", "8 x 12", "PNG", "yes")
    assert found["rotation"] == "a quarter turn to the right"


def test_sound_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4 * 4000))
    found = told(tmp_path / "a.wav", capsys)
    assert (found["kind"], found["sound"]) == ("sound", "pcm_s16le, 8000 Hz, 2 channels, 0.500 s")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", b"%PDF-1.7 and more", "is a PDF document; weights, motion, a clip"),
        ("a.txt", b"some words", "is a text file"),
        ("a.pth", b"<html>", "is a web page"),
        ("a.mp4", b"\0\0\0\x18ftypmp42" + bytes(40), "cannot be read as a video"),
        (None, b"", "is not there"),
    ],
)
def test_what_is_nothing_is_one_line(
    tmp_path: Path, name: str | None, content: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["info", str(tmp_path / (name or "nowhere"))]) == 1
    assert says in capsys.readouterr().err


def test_several_files_are_told_and_the_worst_decides(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / name) for name in ("source.png", "nowhere.png", "driving.mp4")]
    assert main(["info", *paths]) == 1
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line.startswith("kind")] == ["kind: picture", "kind: clip"]
    assert said.err.count("error: ") == 1 and "nowhere.png is not there" in said.err
    assert main(["info", "--json", *paths]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one.get("kind") for one in found] == ["picture", None, "clip"] and "is not there" in found[1]["error"]
    assert main(["info", "--json", paths[0], paths[2]]) == 0


@pytest.mark.skipif(os.name != "posix", reason="such names are none elsewhere")
def test_odd_names_are_told_of_on_their_own_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    strict = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    names = [os.fsdecode(b"a\xff.png"), "b\n\x1b[31m.png"]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "loop").symlink_to("loop")
    odd = [str(tmp_path / "loop"), "x" * 300, "a\0b", ""]
    with contextlib.redirect_stdout(strict):
        assert main(["info", *odd, *(str(tmp_path / name) for name in names)]) == 1
    strict.seek(0)
    files = [line for line in strict.read().splitlines() if line.startswith("file: ")]
    assert files == [f"file: {tmp_path}/a\\udcff.png", f"file: {tmp_path}/b\\n\\x1b[31m.png"]
    said = capfd.readouterr().err.splitlines()
    assert [line.partition(",")[0][:9] for line in said] == ["error: FI"] * 4
    assert "leads in a circle" in said[0] and "longer than paths" in said[1] and "a zero byte" in said[2]


def test_an_error_that_names_no_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "container_of", refuse)
    (tmp_path / "a.png").write_bytes(b"x")
    assert main(["info", str(tmp_path / "a.png")]) == 1
    assert f"error: {tmp_path / 'a.png'}: The system refused: Input/output error." in capsys.readouterr().err


def test_lines_are_printed_without_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(files / "source.png")]) == 0
    assert "kind: picture" in capsys.readouterr().out.splitlines()


def test_an_exported_folder_is_told_from_weights(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "out").mkdir()
    (files / "out" / "render.onnx").write_bytes(b"graph")
    paths = [str(files / name) for name in ("source.png", "driving.mp4", "result.mp4")]
    assert main(["run", *paths, "--checkpoint", str(files / "out"), "--device", "cpu"]) == 1
    assert "an exported model; a weight file was wanted. Add --runtime onnx." in capsys.readouterr().err
