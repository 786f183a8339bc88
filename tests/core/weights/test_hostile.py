"""Pickles that try to run something: refused by name, and nothing runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from firstordermm.core.errors import CheckpointError
from firstordermm.core.weights.checkpoint import read_checkpoint
from torch import nn

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


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
