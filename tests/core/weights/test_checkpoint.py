"""Reading weight files: every layout and container the publishers used."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.core.errors import CheckpointError, MissingWeightsError
from first_order_motion.core.weights.checkpoint import Checkpoint, read_checkpoint
from safetensors.torch import save_file
from torch import Tensor, nn

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def tiny(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def save(content: object, path: Path, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def assert_same(found: Checkpoint, wanted: dict[str, dict[str, Tensor]]) -> None:
    assert list(found.components) == list(wanted)
    for name, state in wanted.items():
        assert list(found.components[name]) == list(state)
        for key, tensor in state.items():
            torch.testing.assert_close(found.components[name][key], tensor, rtol=0, atol=0, equal_nan=True)


@FORMATS
def test_components_are_kept_and_the_rest_is_left_out(tmp_path: Path, zipped: bool) -> None:
    states = {"generator": tiny(1).state_dict(), "kp_detector": tiny(2).state_dict()}
    optimizer = torch.optim.Adam(tiny().parameters())
    content = {
        **states,
        "discriminator": tiny(3).state_dict(),
        "optimizer_generator": optimizer.state_dict(),
        "epoch": 99,
        "run_id": "a",
        "loss": None,
        "t": torch.tensor(3.0),
    }
    found = read_checkpoint(save(content, tmp_path / "vox-cpk.pth.tar", zipped))
    assert_same(found, states)
    assert found.path == tmp_path / "vox-cpk.pth.tar"
    assert found.metadata == {}


@FORMATS
@pytest.mark.parametrize("inner", ["", "module.", "module.module."])
@pytest.mark.parametrize("outer", ["", "module."])
def test_data_parallel_prefixes_are_stripped(tmp_path: Path, zipped: bool, inner: str, outer: str) -> None:
    state = tiny().state_dict()
    content = {f"{outer}model": {inner + key: value for key, value in state.items()}, "epoch": 1}
    assert_same(read_checkpoint(save(content, tmp_path / "vox.pth", zipped)), {"model": dict(state)})


@FORMATS
def test_a_flat_state_dict_is_one_component(tmp_path: Path, zipped: bool) -> None:
    state = OrderedDict(tiny().state_dict())
    assert_same(read_checkpoint(save(state, tmp_path / "79999_iter.pth", zipped)), {"": dict(state)})


def test_a_flat_dict_may_hold_counters(tmp_path: Path) -> None:
    state = dict(tiny().state_dict())
    assert_same(read_checkpoint(save({**state, "epoch": 3}, tmp_path / "a.pt")), {"": state})


def test_a_flat_dict_of_prefixed_keys_is_split(tmp_path: Path) -> None:
    network = nn.ModuleDict({"generator": tiny(1), "kp_detector": tiny(2)})
    wanted = {name: dict(part.state_dict()) for name, part in network.items()}
    assert_same(read_checkpoint(save(network.state_dict(), tmp_path / "a.pth")), wanted)


def test_one_foreign_key_keeps_a_flat_dict_whole(tmp_path: Path) -> None:
    state = {"encoder.weight": torch.ones(2), "decoder.weight": torch.ones(3), "down.weight": torch.ones(1)}
    assert_same(read_checkpoint(save(state, tmp_path / "a.pth")), {"": state})


def test_a_state_dict_entry_is_unwrapped(tmp_path: Path) -> None:
    state = dict(tiny().state_dict())
    assert_same(read_checkpoint(save({"state_dict": state, "epoch": 1}, tmp_path / "a.ckpt")), {"": state})


def test_empty_components_are_left_out(tmp_path: Path) -> None:
    state = dict(tiny().state_dict())
    content = {"generator": state, "bg_predictor": OrderedDict()}
    assert_same(read_checkpoint(save(content, tmp_path / "mgif256.pth")), {"generator": state})


@FORMATS
@pytest.mark.parametrize(
    "scalar", [np.float64(0.25), np.float32(1.5), np.int64(7), np.bool_(True)], ids=lambda value: value.dtype.name
)
def test_numpy_scalars_beside_the_weights(tmp_path: Path, zipped: bool, scalar: np.generic) -> None:
    state = dict(tiny().state_dict())
    content = {"encoder": state, "loss_val_best": scalar, "it": 5}
    assert_same(read_checkpoint(save(content, tmp_path / "vox256.pt", zipped)), {"encoder": state})


def test_numpy_scalars_as_numpy_1_and_2_name_them(tmp_path: Path) -> None:
    path = save({"encoder": dict(tiny().state_dict()), "loss": np.float64(2)}, tmp_path / "a.pt", zipped=False)
    data, names = path.read_bytes(), (b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert any(name in data for name in names)
    for here, there in (names, names[::-1]):
        path.write_bytes(data.replace(here, there))
        assert list(read_checkpoint(path).components) == ["encoder"]


@pytest.mark.parametrize("zipped", [False, True])
def test_what_other_packs_have_allowed_changes_nothing(tmp_path: Path, zipped: bool) -> None:
    """ComfyUI allows NumPy's own; which of two of one name torch takes is settled by chance."""
    path = save({"encoder": dict(tiny().state_dict()), "loss": np.float64(2)}, tmp_path / "a.pt", zipped)
    scalar = np.float64(2).__reduce__()[0]
    theirs = [(scalar, name) for name in ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")]
    with torch.serialization.safe_globals([*theirs, np.dtype, (np.dtype, "numpy.dtype"), type(np.dtype("f8"))]):
        before = set(torch.serialization.get_safe_globals())
        for _ in range(20):
            assert list(read_checkpoint(path).components) == ["encoder"]
        assert set(torch.serialization.get_safe_globals()) == before


def test_allowed_names_do_not_stay_allowed(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(save(dict(tiny().state_dict()), tmp_path / "a.pt"))
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_stay_as_stored(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {key: value.to(dtype) for key, value in nn.Linear(3, 2).state_dict().items()}
    for path in (save(state, tmp_path / "a.pth"), tmp_path / "a.safetensors"):
        if path.suffix == ".safetensors":
            save_file(state, path)
        found = read_checkpoint(path)
        assert {tensor.dtype for tensor in found.components[""].values()} == {dtype}


def test_parameters_become_plain_tensors(tmp_path: Path) -> None:
    content = {"generator": dict(nn.Linear(2, 2).named_parameters())}
    tensor = read_checkpoint(save(content, tmp_path / "a.pth")).components["generator"]["weight"]
    assert type(tensor) is Tensor
    assert not tensor.requires_grad


@pytest.mark.parametrize("name", ["a.safetensors", "a.SAFETENSORS", "a.pth"])
def test_safetensors_by_content_whatever_the_name(tmp_path: Path, name: str) -> None:
    states = {"generator": dict(tiny(1).state_dict()), "kp_detector": dict(tiny(2).state_dict())}
    flat = {f"{part}.{key}": value for part, state in states.items() for key, value in state.items()}
    save_file(flat, tmp_path / name, metadata={"architecture": "fomm"})
    found = read_checkpoint(tmp_path / name)
    assert {part: set(state) for part, state in found.components.items()} == {
        part: set(state) for part, state in states.items()
    }
    torch.testing.assert_close(found.components["generator"]["0.weight"], states["generator"]["0.weight"])
    assert found.metadata == {"architecture": "fomm"}


def test_a_safetensors_file_may_change_after_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.ones(1000)}, path)
    found = read_checkpoint(path)
    with path.open("r+b") as file:
        file.truncate(200)
    assert float(found.components[""]["weight"].sum()) == 1000


def test_a_module_prefix_in_safetensors_keys(tmp_path: Path) -> None:
    save_file({"model.module.a.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    assert list(read_checkpoint(tmp_path / "a.safetensors").components["model"]) == ["a.weight"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="does not exist"):
        read_checkpoint(tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds a list"),
        (torch.ones(2), "holds a Tensor"),
        ({}, "holds no network"),
        ({"epoch": 3, "name": "x"}, "its entries: epoch, name"),
        ({"ema": {"weight": torch.ones(2)}}, "its entries: ema"),
        ({"generator": {"weight": torch.ones(2), "n": 3}}, "n is a int"),
        ({"generator": {"weight": torch.ones(2, 2).to_sparse()}}, "weight is a sparse"),
        ({"generator": {"weight": torch.ones(2, device="meta")}}, "weight is a sparse, quantised, data-less"),
        ({"generator": {"weight": torch.ones(1).expand(10**12)}}, "oversized"),
        ({"generator": {"a": torch.ones(1), "module.a": torch.ones(1)}}, "holds a twice"),
        ({"bad\nname": 1}, r"bad\\nname"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(save(content, tmp_path / "a.pth"))
    assert "\n" not in str(caught.value)
