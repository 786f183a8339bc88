"""Files that are damaged, cut short, or not weights at all: one clear line, soon, and nothing else."""

from __future__ import annotations

import os
import random
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
import torch
from firstordermm.core.errors import CheckpointError
from firstordermm.core.weights.checkpoint import read_checkpoint
from safetensors.torch import save_file
from torch import nn

LIMIT = 2.0  # seconds


def network() -> dict[str, object]:
    return {"generator": nn.Linear(4, 4).state_dict(), "kp_detector": nn.Conv2d(3, 4, 3).state_dict(), "epoch": 3}


def written(path: Path, kind: str, content: dict[str, object] | None = None) -> Path:
    if kind == "safetensors":
        save_file({"generator.weight": torch.ones(64, 64)}, path)
    else:
        torch.save(content or network(), path, _use_new_zipfile_serialization=kind == "zip")
    return path


def refusal(path: Path) -> str:
    """The message of the refusal, which must be a single line."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    assert "weights_only" not in message
    return message


@pytest.mark.parametrize("name", ["vox-cpk.pth.tar", "vox.pth", "vox.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"\n  <html>Google Drive - Virus scan warning</html>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "Git-LFS pointer"),
        (b'{"error": "quota exceeded"}', "a JSON text"),
        (b"Not found", "a text file"),
        (b"\x1f\x8b\x08\x00abcdefgh", "gzip"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "unknown format"),
        (b"\0" * 4096, "of an unknown format|a real tar"),
        (bytes(range(7)), "unknown format"),
    ],
)
def test_what_hosts_send_instead(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)
    refusal(path)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "vox.pth").mkdir()
    assert "is a folder" in refusal(tmp_path / "vox.pth")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "vox.pth")
    assert "no regular file" in refusal(tmp_path / "vox.pth")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pth", "zip")
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_short(tmp_path: Path, kind: str, share: float) -> None:
    path = written(tmp_path / "a.pth", kind)
    data = path.read_bytes()
    path.write_bytes(data[: max(9, int(len(data) * share))])
    assert "ownload" in refusal(path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_large_file_cut_short_is_refused_soon(tmp_path: Path, kind: str) -> None:
    weights = {"generator.weight": torch.zeros(25_000_000)}
    path = tmp_path / "large.pth"
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save({"generator": weights}, path, _use_new_zipfile_serialization=kind == "zip")
    with path.open("r+b") as file:
        file.truncate(99_000_000)
    start = time.perf_counter()
    refusal(path)
    assert time.perf_counter() - start < LIMIT


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_random_damage_gives_weights_or_a_refusal(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "a.pth", kind)
    data = path.read_bytes()
    dice = random.Random(7)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 2, 8))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            assert "\n" not in str(error)


def test_a_torch_file_called_safetensors(tmp_path: Path) -> None:
    for kind in ("zip", "legacy"):
        assert "rename it to .pth" in refusal(written(tmp_path / f"{kind}.safetensors", kind))


def test_a_real_tar(tmp_path: Path) -> None:
    inner = written(tmp_path / "inner.pth", "zip")
    with tarfile.open(tmp_path / "vox.pth.tar", "w") as archive:
        archive.add(inner, "\x80inner.pth")
    assert "real tar" in refusal(tmp_path / "vox.pth.tar")


def test_an_ordinary_zip(tmp_path: Path) -> None:
    inner = written(tmp_path / "inner.pth", "legacy")
    with zipfile.ZipFile(tmp_path / "vox.pth", "w") as archive:
        archive.write(inner, "vox.pth")
    assert "without torch's data.pkl" in refusal(tmp_path / "vox.pth")


def test_a_compressed_archive(tmp_path: Path) -> None:
    stored = written(tmp_path / "stored.pth", "zip", {"generator": {"weight": torch.zeros(1_000_000)}})
    with (
        zipfile.ZipFile(stored) as source,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert "compressed" in refusal(tmp_path / "bomb.pth")


def test_an_empty_safetensors_file(tmp_path: Path) -> None:
    save_file({}, tmp_path / "a.safetensors")
    assert "no tensors" in refusal(tmp_path / "a.safetensors")
