"""Our reader of torch.save files against PyTorch's own, value by value, over every kind of content."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.core.weights.container import container_of
from first_order_motion.core.weights.source import Source
from first_order_motion.core.weights.stored_tensor import Opaque
from first_order_motion.core.weights.torch_file import read_torch_file
from support.paths import ROOT
from torch import Tensor, nn

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
PROTOCOLS = pytest.mark.parametrize("protocol", [2, 3, 4, 5])
BASE = torch.arange(48.0).reshape(6, 8)


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network after one step of Adam."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 16, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network(torch.randn(2, 3, 6, 6)).sum().backward()
    optimizer.step()
    return network, optimizer


def contents() -> dict[str, object]:
    network, optimizer = trained()
    halves = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    whole = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
    return {
        "state": {"generator": network.state_dict(), "kp_detector": network.state_dict(), "epoch": 3},
        "optimizer": {"optimizer": optimizer.state_dict(), "lr": 2e-4},
        "parameters": dict(network.named_parameters()),
        "buffer": {"a": nn.Buffer(torch.ones(2))} if hasattr(nn, "Buffer") else {},
        "shared": {"a": BASE, "b": BASE, "c": {"d": BASE}},
        "views": [BASE.t(), BASE[1:3], BASE[:, 2], BASE[0, 0], BASE[:0], BASE[::2, 1::3], BASE[2:].view(-1)],
        "dtypes": {str(dtype): torch.arange(5).to(dtype) for dtype in (*halves, *whole)},
        "scalars": [None, True, False, 0, -5, 2**31, -(2**63), 2**80, 0.1, float("inf"), "", "é中\n", "a" * 300],
        "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[]], {}, {"a": {}}, {3: "x", -1: "y"}],
        "collections": [OrderedDict(a=1, b=2), Counter({3: 1, 60: 2}), torch.Size([1, 2])],
        "number_types": [torch.float16, torch.bfloat16, torch.int64],
        "empty": {"a": torch.zeros(0), "b": torch.zeros(3, 0, 2)},
        "list": [[torch.ones(2)], (torch.zeros(3), "x")],
        "many": {f"layer.{index}.weight": torch.full((2,), float(index)) for index in range(1200)},
        "tensor": torch.ones(3),
    }


def assert_same(ours: object, theirs: object) -> None:
    if isinstance(theirs, Tensor):
        assert type(ours) is Tensor and not ours.requires_grad
        assert (ours.dtype, ours.shape, ours.stride()) == (theirs.dtype, theirs.shape, theirs.stride())
        assert torch.equal(ours, theirs)
    elif isinstance(theirs, dict):
        assert type(ours) is dict and list(cast(Any, ours)) == list(cast(Any, theirs))
        for key, value in cast(dict[Any, Any], theirs).items():
            assert_same(cast(dict[Any, Any], ours)[key], value)
    elif isinstance(theirs, list | tuple):
        assert isinstance(ours, list if isinstance(theirs, list) else tuple)
        for mine, value in zip(cast(Any, ours), cast(Any, theirs), strict=True):
            assert_same(mine, value)
    else:
        assert ours == theirs and type(ours) is type(theirs)


@FORMATS
@pytest.mark.parametrize("kind", contents())
def test_values_are_those_that_torch_reads(tmp_path: Path, zipped: bool, kind: str) -> None:
    path = tmp_path / "a.pth"
    torch.save(contents()[kind], path, _use_new_zipfile_serialization=zipped)
    assert_same(read_torch_file(path, container_of(path)), torch.load(path, weights_only=True))


@FORMATS
@PROTOCOLS
def test_every_protocol(tmp_path: Path, zipped: bool, protocol: int) -> None:
    path, content = tmp_path / "a.pth", [contents()[kind] for kind in ("state", "optimizer", "views", "scalars")]
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_same(read_torch_file(path, container_of(path)), torch.load(path, weights_only=False))


@pytest.mark.parametrize("name", ["uint16", "uint32", "float8_e4m3fn", "float8_e5m2"])
def test_newer_number_types(tmp_path: Path, name: str) -> None:
    path, tensor = tmp_path / "a.pth", torch.arange(6).float().to(getattr(torch, name))[2:]
    torch.save({"a": tensor}, path)
    found = cast(dict[str, Tensor], read_torch_file(path, "zip"))["a"]
    assert found.dtype == tensor.dtype and found.float().tolist() == tensor.float().tolist()


def test_views_go_on_sharing_memory(tmp_path: Path) -> None:
    torch.save({"a": BASE, "b": BASE[1:]}, tmp_path / "a.pth")
    found = cast(dict[str, Tensor], read_torch_file(tmp_path / "a.pth", "zip"))
    assert found["b"].data_ptr() == found["a"][1:].data_ptr()
    assert found["a"].untyped_storage().nbytes() == BASE.untyped_storage().nbytes()


def test_numbers_of_the_other_byte_order(tmp_path: Path) -> None:
    torch.save({"a": BASE, "b": torch.tensor([1, 515], dtype=torch.int16)}, tmp_path / "little.pth")
    data = (tmp_path / "little.pth").read_bytes()
    at = data.index(b"little", data.index(b"byteorder"))
    before = BASE.numpy().tobytes(), torch.tensor([1, 515], dtype=torch.int16).numpy().tobytes()
    changed = data[:at] + b"big" + data[at + 3 :]
    for part, dtype in zip(before, ("<f4", "<i2"), strict=True):
        changed = changed.replace(part, np.frombuffer(part, dtype).byteswap().tobytes())
    # the text "big" is three bytes shorter, which only the directory says
    changed = changed.replace(b"bigtle", b"big\0\0\0")
    (tmp_path / "big.pth").write_bytes(changed)
    with pytest.raises(CheckpointError, match="byte order"):
        read_torch_file(tmp_path / "big.pth", "zip")
    (tmp_path / "big.pth").write_bytes(_with_size_of("byteorder", 3, changed))
    found = cast(dict[str, Tensor], read_torch_file(tmp_path / "big.pth", "zip"))
    assert torch.equal(found["a"], BASE) and found["b"].tolist() == [1, 515]


def _with_size_of(name: str, size: int, data: bytes) -> bytes:
    """The archive with another size for the entry of a name."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    return data[: at + 20] + size.to_bytes(4, "little") * 2 + data[at + 28 :]


@FORMATS
@pytest.mark.parametrize("scalar", [np.float64(0.25), np.int64(7), np.bool_(True)], ids=lambda value: value.dtype.name)
def test_numpy_scalars_are_placeholders(tmp_path: Path, zipped: bool, scalar: np.generic) -> None:
    path = tmp_path / "a.pth"
    torch.save({"loss": scalar, "again": [scalar, scalar]}, path, _use_new_zipfile_serialization=zipped)
    placeholder = Opaque("NumPy scalar")
    found = read_torch_file(path, container_of(path))
    assert found == {"loss": placeholder, "again": [placeholder, placeholder]}


def test_what_weights_do_not_need_is_not_built(tmp_path: Path) -> None:
    content = {"device": torch.device("cuda:1"), "set": {1, 2}, "text": "x" * 100_000, "sparse": BASE.to_sparse()}
    torch.save(content, tmp_path / "a.pth")
    found = cast(dict[str, object], read_torch_file(tmp_path / "a.pth", "zip"))
    assert all(isinstance(value, Opaque) for value in found.values())


@FORMATS
def test_optimizers_are_not_even_read(tmp_path: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"generator": {"w": torch.ones(4)}, "optimizer_generator": {"state": {0: torch.ones(1000)}}}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    read: list[int] = []
    fill = Source.read_into

    def counted(source: Source, position: int, buffer: memoryview) -> None:
        read.append(len(buffer))
        fill(source, position, buffer)

    monkeypatch.setattr(Source, "read_into", counted)
    assert list(read_checkpoint(tmp_path / "a.pth").components) == ["generator"]
    assert read == [16]


def test_components_are_known_before_any_architecture_is_imported(tmp_path: Path) -> None:
    torch.save({"generator": {"w": torch.ones(4)}, "discriminator": {"w": torch.ones(4)}}, tmp_path / "a.pth")
    code = (
        f"import runpy, pathlib; runpy.run_path({str(ROOT / 'animate.py')!r})['load_pack']();"
        "from first_order_motion.core.weights.checkpoint import read_checkpoint;"
        f"print(list(read_checkpoint(pathlib.Path({str(tmp_path / 'a.pth')!r})).components))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['generator']"
