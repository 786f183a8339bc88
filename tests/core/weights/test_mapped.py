"""Large tensors are shown where they lie in the file: nothing is copied, and nothing written back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from first_order_motion.core.weights.checkpoint import read_checkpoint
from safetensors.torch import save_file

STATUS = Path("/proc/self/status")
KILOBYTES = 2**15  # of weights: 32 MiB


def save_torch(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save({"generator": state}, path)


def save_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    save_file({f"generator.{name}": value for name, value in state.items()}, path)


def own_kilobytes() -> int:
    """Memory of this process that no file stands behind."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))


both_formats = pytest.mark.parametrize(
    ("save", "name"), [(save_torch, "a.pth.tar"), (save_safetensors, "a.safetensors")], ids=["torch", "safetensors"]
)


@both_formats
@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from Linux's /proc")
def test_reading_takes_no_copy_of_the_weights(
    save: Callable[[dict[str, torch.Tensor], Path], None], name: str, tmp_path: Path
) -> None:
    values = torch.arange(KILOBYTES * 256, dtype=torch.float32).view(1024, -1)
    save({"weight": values}, tmp_path / name)
    before = own_kilobytes()
    found = read_checkpoint(tmp_path / name)
    (weight,) = (value for state in found.components.values() for key, value in state.items() if "weight" in key)
    assert torch.equal(weight, values)
    assert own_kilobytes() - before < KILOBYTES // 4


@both_formats
def test_what_is_written_to_weights_stays_out_of_the_file(
    save: Callable[[dict[str, torch.Tensor], Path], None], name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    save({"weight": torch.ones(512, 512)}, path)
    bytes_before = path.read_bytes()
    for state in read_checkpoint(path).components.values():
        for value in state.values():
            value.zero_()
    assert path.read_bytes() == bytes_before
    assert all(value.min() == 1 for state in read_checkpoint(path).components.values() for value in state.values())


def test_unaligned_tensors_are_copied_and_whole(tmp_path: Path) -> None:
    values = {"generator.a": torch.ones(1, dtype=torch.uint8), "generator.b": torch.arange(2**17, dtype=torch.float32)}
    path = tmp_path / "a.pth"
    torch.save(values, path, _use_new_zipfile_serialization=False)  # tensors there begin at any byte
    (state,) = read_checkpoint(path).components.values()
    assert torch.equal(next(value for key, value in state.items() if key.endswith("b")), values["generator.b"])
