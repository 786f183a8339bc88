"""Files of torch.save and others in their place: what is damaged, foreign or hostile gets one clear line, soon.

Nothing in them runs.
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.checkpoint import read_checkpoint
from safetensors.torch import save_file
from torch import nn

LIMIT = 2.0  # seconds
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


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
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, r"a picture \(PNG\)"),
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


class Attack:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def attacks(sentinel: Path) -> dict[str, Attack]:
    script = f"open({str(sentinel)!r}, 'w').close()"
    return {
        f"{os.system.__module__}.system": Attack(os.system, f'{sys.executable} -c "{script}"'),
        "builtins.eval": Attack(eval, script),
        "builtins.exec": Attack(exec, script),
        "io.open": Attack(open, str(sentinel), "w"),
        "subprocess.Popen": Attack(subprocess.Popen, [sys.executable, "-c", script]),
        "builtins.getattr": Attack(getattr, "text", "upper"),
        "torch.hub.load": Attack(torch.hub.load, str(sentinel.parent), "x"),
    }


NAMES = sorted(attacks(Path("sentinel")))


def placed(attack: object, where: str) -> object:
    state = {"weight": torch.ones(2)}
    return {
        "alone": attack,
        "component": {"generator": attack},
        "optimizer": {"generator": state, "optimizer_generator": {"state": {0: attack}, "param_groups": []}},
        "tensor": {"generator": {**state, "extra": attack}},
        "list": {"generator": state, "history": [1, (2, [attack])]},
    }[where]


@FORMATS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["alone", "component", "optimizer", "tensor", "list"])
def test_nothing_runs(tmp_path: Path, zipped: bool, name: str, where: str) -> None:
    sentinel, path = tmp_path / "sentinel", tmp_path / "vox-cpk.pth.tar"
    torch.save(placed(attacks(sentinel)[name], where), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="refused") as caught:
        read_checkpoint(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None  # torch's own text tells users to allow execution
    assert not sentinel.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_bare_pickles_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    sentinel, path = tmp_path / "sentinel", tmp_path / "vox.pth"
    path.write_bytes(pickle.dumps(attacks(sentinel)["builtins.exec"], protocol=protocol))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not sentinel.exists()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_torch_files_of_later_protocols(tmp_path: Path, protocol: int) -> None:
    sentinel, path = tmp_path / "sentinel", tmp_path / "vox.pth"
    torch.save({"generator": attacks(sentinel)["builtins.exec"]}, path, pickle_protocol=protocol)
    with pytest.raises(CheckpointError, match=r"builtins\.exec"):
        read_checkpoint(path)
    assert not sentinel.exists()


@FORMATS
def test_every_refused_name_is_told(tmp_path: Path, zipped: bool) -> None:
    found = attacks(tmp_path / "sentinel")
    torch.save(
        {"a": found["builtins.eval"], "b": found["subprocess.Popen"]},
        tmp_path / "a.pth",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(CheckpointError, match=r"builtins\.eval, subprocess\.Popen"):
        read_checkpoint(tmp_path / "a.pth")


@FORMATS
def test_a_whole_pickled_module_is_refused_by_name(tmp_path: Path, zipped: bool) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear.*state dicts alone"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_name_cannot_break_the_line(tmp_path: Path) -> None:
    name = "os\nsystem is fine"
    data = b"\x80\x04\x8c" + bytes([len(name)]) + name.encode() + b"\x8c\x01x\x93."
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)
