"""Strict loading: all or nothing, with one error that lists what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.build import build_strict, load_strict
from first_order_motion.core.weights.checkpoint import Checkpoint
from torch import Tensor, nn


class Blur(nn.Module):
    """A kernel that the constructor computes, as anti-aliasing has."""

    def __init__(self, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("weight", torch.full((3, 1, 5, 5), 0.04), persistent=persistent)


class Tiny(nn.Module):
    """One of each kind of entry that checkpoints hold."""

    def __init__(self, persistent: bool = True) -> None:
        super().__init__()
        self.down = Blur(persistent)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.instance = nn.InstanceNorm2d(4, affine=True)
        self.register_buffer("pos_embedding", torch.arange(6.0).view(1, 6))


def filled(seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {
        key: (torch.rand_like if key.endswith("var") else torch.randn_like)(value)
        if value.is_floating_point()
        else value + 5
        for key, value in Tiny().state_dict().items()
    }


def without(state: dict[str, Tensor], *ends: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.endswith(ends)}


def assert_holds(module: nn.Module, state: dict[str, Tensor]) -> None:
    entries = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for key, value in state.items():
        torch.testing.assert_close(entries[key].detach().to(value.dtype), value, rtol=0, atol=0)


@pytest.mark.parametrize("persistent", [True, False])
def test_all_entries_are_copied(persistent: bool) -> None:
    module, state = Tiny(persistent), filled()
    load_strict(module, state, "tiny")
    assert_holds(module, state)


def test_agrees_with_torch() -> None:
    ours, theirs = Tiny(), Tiny()
    load_strict(ours, filled(), "tiny")
    theirs.load_state_dict(filled(), strict=True)
    assert_holds(ours, theirs.state_dict())


@pytest.mark.parametrize("absent", ["num_batches_tracked", "down.weight", "pos_embedding"])
def test_what_the_constructor_computes_may_be_absent(absent: str) -> None:
    module, state = Tiny(), without(filled(), absent)
    before = {key: value.clone() for key, value in module.state_dict().items() if key.endswith(absent)}
    assert before
    load_strict(module, state, "tiny")
    assert_holds(module, {**state, **before})


@pytest.mark.parametrize(
    "absent", ["conv.weight", "conv.bias", "norm.running_mean", "norm.running_var", "instance.bias"]
)
def test_what_training_made_may_not(absent: str) -> None:
    with pytest.raises(CheckpointError, match=rf"tiny: 1 missing \({absent}\)"):
        load_strict(Tiny(), without(filled(), absent), "tiny")


def test_extra_entries() -> None:
    state = {**filled(), **{f"extra.{index}": torch.ones(1) for index in range(12)}}
    with pytest.raises(CheckpointError, match=r"12 unexpected \(extra\.0, extra\.1, extra\.2, …\)"):
        load_strict(Tiny(), state, "tiny")


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (4, 4, 3, 3), (4,), (), (1, 4, 3, 3, 3)])
def test_other_shapes(shape: tuple[int, ...]) -> None:
    state = {**filled(), "conv.weight": torch.zeros(shape)}
    with pytest.raises(CheckpointError) as caught:
        load_strict(Tiny(), state, "tiny")
    assert f"1 of another shape (conv.weight: {shape} instead of (4, 3, 3, 3))" in str(caught.value)


def test_numbers_of_another_kind() -> None:
    state = {**filled(), "conv.bias": torch.zeros(4, dtype=torch.int8)}
    with pytest.raises(CheckpointError, match=r"conv\.bias: \(4,\) int8 instead of \(4,\)"):
        load_strict(Tiny(), state, "tiny")


def test_everything_at_once_in_one_line_and_nothing_copied() -> None:
    module = Tiny()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    state = without(filled(), "running_mean")
    state.update({"new\nline": torch.ones(1), "conv.bias": torch.zeros(5)})
    with pytest.raises(CheckpointError, match=r"1 missing .*; 1 unexpected .*; 1 of another shape") as caught:
        load_strict(module, state, "generator of vox.pth")
    assert str(caught.value).startswith("generator of vox.pth: ")
    assert "\n" not in str(caught.value)
    assert_holds(module, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("key", ["conv.weight", "norm.running_var", "down.weight"])
def test_values_that_are_not_finite(key: str, value: float) -> None:
    module, state = Tiny(), filled()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state[key].view(-1)[-1] = value
    with pytest.raises(CheckpointError, match=rf"1 with values that are not finite \({key}\)"):
        load_strict(module, state, "tiny")
    assert_holds(module, before)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("wanted", [torch.float16, torch.bfloat16, torch.float32])
def test_values_take_the_modules_dtype(stored: torch.dtype, wanted: torch.dtype) -> None:
    module = Tiny().to(wanted)
    state = {key: value.to(stored) if value.is_floating_point() else value for key, value in filled().items()}
    load_strict(module, state, "tiny")
    assert module.conv.weight.dtype == wanted
    torch.testing.assert_close(module.conv.weight.detach(), state["conv.weight"].to(wanted), rtol=0, atol=0)
    assert module.norm.num_batches_tracked.dtype == torch.int64  # pyright: ignore[reportOptionalMemberAccess]


def test_values_too_large_for_the_dtype() -> None:
    state = filled()
    state["conv.weight"][0] = 1e6
    with pytest.raises(CheckpointError, match=r"not finite \(conv\.weight\)"):
        load_strict(Tiny().half(), state, "tiny")


def test_shared_weights_need_each_of_their_names() -> None:
    module = nn.ModuleDict({"a": nn.Linear(2, 2)})
    module["b"] = module["a"]
    state = {
        f"{name}.{leaf}": torch.ones(2, 2) if leaf == "weight" else torch.ones(2)
        for name in "ab"
        for leaf in ("weight", "bias")
    }
    load_strict(module, state, "shared")
    with pytest.raises(CheckpointError, match="2 missing"):
        load_strict(module, {key: value for key, value in state.items() if key.startswith("a")}, "shared")


def test_gradients_and_mode_are_untouched() -> None:
    module = Tiny().eval()
    load_strict(module, filled(), "tiny")
    assert not module.training
    assert module.conv.weight.requires_grad and module.conv.weight.grad_fn is None


@pytest.mark.parametrize("counter", [torch.tensor(5.0), torch.tensor(5, dtype=torch.int32), torch.ones(3), torch.nan])
def test_counters_of_any_kind_are_let_be(counter: Tensor | float) -> None:
    module = Tiny()
    load_strict(module, {**filled(), "norm.num_batches_tracked": torch.as_tensor(counter)}, "tiny")
    assert module.norm.num_batches_tracked is not None and int(module.norm.num_batches_tracked) == 0
    assert_holds(module, without(filled(), "num_batches_tracked"))


def test_a_state_dict_saved_in_half_precision_as_a_whole() -> None:
    module = Tiny()
    state = {key: value.half() for key, value in filled().items()}
    load_strict(module, state, "tiny")
    assert_holds(module, without(state, "num_batches_tracked"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_negative_variances_are_refused_by_name(dtype: torch.dtype) -> None:
    state = filled()
    state["norm.running_var"] = torch.tensor([1.0, 0.5, -1.0, 2.0], dtype=dtype)
    module = Tiny()
    with pytest.raises(CheckpointError, match=r"^generator of a\.pth: 1 with negative variances \(norm\.running_var\)"):
        load_strict(module, state, "generator of a.pth")
    assert_holds(module, {"norm.running_var": torch.ones(4)})


def test_a_variance_of_nothing_is_no_fault() -> None:
    load_strict(Tiny(), {**filled(), "norm.running_var": torch.zeros(4)}, "tiny")


def test_long_names_make_no_long_message() -> None:
    state = {f"{'k' * 400}{index}": torch.ones(1) for index in range(5)} | {"conv.weight": torch.ones((1,) * 30)}
    with pytest.raises(CheckpointError) as caught:
        load_strict(Tiny(), state, "generator of a.pth")
    assert len(str(caught.value)) <= 300


class Wide(nn.Module):
    """A network with a table that its constructor computes."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)
        self.register_buffer("table", torch.zeros(side, side))


def test_networks_that_no_file_could_fill_are_not_built() -> None:
    checkpoint = Checkpoint(Path("a.pth"), {"part": dict(nn.Linear(2, 2).state_dict())})
    assert build_strict(lambda: Wide(8), checkpoint, ("part",)).part.in_features == 2
    with pytest.raises(CheckpointError, match=r"a\.pth describes a network with 40000000000 bytes of tables"):
        build_strict(lambda: Wide(100_000), checkpoint, ("part",))
    with pytest.raises(CheckpointError, match=r"a\.pth describes a network that cannot be built"):
        build_strict(lambda: Wide(2**62), checkpoint, ("part",))
