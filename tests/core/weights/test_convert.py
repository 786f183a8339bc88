"""Safetensors files we write read back as the same components."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.checkpoint import Checkpoint, read_checkpoint
from first_order_motion.core.weights.convert import to_safetensors
from safetensors.torch import load_file
from torch import Tensor, nn


def layer(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict())


COMPONENTS: dict[str, dict[str, dict[str, Tensor]]] = {
    "fomm": {"generator": layer(1), "kp_detector": layer(2)},
    "mrfa": {"model": {f"encoder.{key}": value for key, value in layer(1).items()}},
    "fsrt": {"encoder": layer(1), "decoder": layer(2), "expression_encoder": layer(3)},
    "flat": {"": layer(4)},
}


def round_trip(checkpoint: Checkpoint, path: Path, **options: object) -> Checkpoint:
    to_safetensors(checkpoint, path, **options)  # type: ignore[arg-type]
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name]
    return read_checkpoint(path)


def assert_same(found: Checkpoint, wanted: Checkpoint) -> None:
    assert set(found.components) == set(wanted.components)
    for name, state in wanted.components.items():
        assert set(found.components[name]) == set(state)
        for key, tensor in state.items():
            torch.testing.assert_close(found.components[name][key], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("kind", COMPONENTS)
def test_round_trip(tmp_path: Path, kind: str) -> None:
    checkpoint = Checkpoint(Path("a.pth"), COMPONENTS[kind], {"licence": "MIT"})
    found = round_trip(checkpoint, tmp_path / "out" / "a.safetensors")
    assert_same(found, checkpoint)
    assert found.metadata == {"licence": "MIT"}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_published_file_round_trips(tmp_path: Path, zipped: bool) -> None:
    content = {**COMPONENTS["fomm"], "epoch": 3, "optimizer_generator": {"state": {}}}
    torch.save(content, tmp_path / "vox-cpk.pth.tar", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "vox-cpk.pth.tar")
    found = round_trip(checkpoint, tmp_path / "out" / "vox-cpk.safetensors", metadata={"from": "vox"})
    assert_same(found, checkpoint)
    assert found.metadata == {"from": "vox"}
    assert set(load_file(tmp_path / "out" / "vox-cpk.safetensors")) >= {"generator.0.weight", "kp_detector.0.weight"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_floats_take_the_dtype_and_counters_do_not(tmp_path: Path, dtype: torch.dtype) -> None:
    found = round_trip(Checkpoint(Path("a"), COMPONENTS["fomm"]), tmp_path / "a.safetensors", dtype=dtype)
    for name, state in COMPONENTS["fomm"].items():
        for key, tensor in state.items():
            kept = found.components[name][key]
            assert kept.dtype == (dtype if tensor.is_floating_point() else torch.int64)
            torch.testing.assert_close(kept, tensor.to(kept.dtype), rtol=0, atol=0)


def test_values_that_would_overflow_keep_their_dtype(tmp_path: Path) -> None:
    state = {"running_var": torch.tensor([1.0, 1e6]), "weight": torch.tensor([1.0, 2.0])}
    found = round_trip(Checkpoint(Path("a"), {"model": state}), tmp_path / "a.safetensors", dtype=torch.float16)
    assert found.components["model"]["running_var"].dtype == torch.float32
    assert found.components["model"]["weight"].dtype == torch.float16


def test_shared_transposed_and_partial_tensors(tmp_path: Path) -> None:
    base = torch.randn(6, 8)
    state = {
        "a": base,
        "b": base,
        "t": base.t(),
        "slice": base[1:3],
        "column": base[:, 2],
        "one": base[0, 0],
        "none": base[:0],
    }
    checkpoint = Checkpoint(Path("a"), {"generator": state, "kp_detector": {"a": base}})
    found = round_trip(checkpoint, tmp_path / "a.safetensors")
    assert_same(found, checkpoint)
    torch.testing.assert_close(state["t"], base.t())


def test_an_older_file_is_replaced_even_by_its_own_content(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    first = round_trip(Checkpoint(Path("a"), COMPONENTS["fomm"]), path)
    assert_same(round_trip(first, path, dtype=torch.float32), first)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="cannot be written"):
        to_safetensors(Checkpoint(Path("a"), COMPONENTS["fomm"]), tmp_path / "a.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="cannot be written"):
        to_safetensors(Checkpoint(Path("a"), COMPONENTS["fomm"]), tmp_path / "file" / "a.safetensors")


def test_others_may_read_what_they_may_read_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"x")
    to_safetensors(Checkpoint(Path("a"), COMPONENTS["flat"]), tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
