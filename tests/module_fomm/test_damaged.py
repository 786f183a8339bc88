"""FOMM weight files that are mismatched, foreign, cut short or hostile: one clear error within two seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from first_order_motion.core.errors import CheckpointError
from first_order_motion.module_fomm.config import FOMMConfig, from_published
from safetensors.torch import save_file
from support.architectures import FOMM, one_thread
from support.fomm_files import (
    COMPONENTS,
    States,
    assert_complaint,
    edited,
    loaded,
    mapped,
    network,
    saved,
    states_of,
    without,
)
from torch import Tensor


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def renamed(states: States, old: str, new: str) -> States:
    return mapped(states, lambda key, value: (new if key == old else key, value))


MISMATCHED: dict[str, tuple[Callable[[States], Mapping[str, object]], list[str]]] = {
    "one_missing": (lambda states: without(states, "bottleneck.r1.conv2.bias"), ["1 missing", "r1.conv2.bias"]),
    "a_block_missing": (lambda states: without(states, "up_blocks.1.conv.weight"), ["missing", "up_blocks.1"]),
    "one_extra": (lambda states: add(states, "extra.weight", torch.ones(2)), ["1 unexpected", "extra.weight"]),
    "one_mis_shaped": (
        lambda states: add(states, "final.bias", torch.ones(9)),
        ["of another shape", "final.bias: (9,) instead of (3,)"],
    ),
    "renamed": (lambda states: renamed(states, "final.bias", "last.bias"), ["final.bias", "last.bias"]),
    "head_missing": (lambda states: without(states, "kp.weight"), ["lacks kp.weight"]),
    "no_hourglass": (lambda states: mapped(states, no_encoder), ["encoder.down_blocks.0.conv.weight"]),
    "scalar_head": (lambda states: add(states, "kp.weight", torch.tensor(1.0), "kp_detector"), []),
    "empty_head": (lambda states: add(states, "kp.weight", torch.ones(10**9, 0, 7, 7), "kp_detector"), []),
    "empty_layer": (lambda states: add(states, "first.conv.weight", torch.ones(10**9, 0, 7, 7)), []),
    "not_finite": (lambda states: add(states, "final.bias", torch.full((3,), torch.nan)), ["not finite", "final.bias"]),
    "odd_kernel": (lambda states: add(states, "down.weight", torch.ones(3, 1, 9, 9), "kp_detector"), ["9-tap"]),
    "generator_alone": (lambda states: {"generator": states["generator"]}, ["generator"]),
    "swapped": (lambda states: dict(zip(COMPONENTS, (states[name] for name in COMPONENTS[::-1]), strict=True)), []),
}


def add(states: States, key: str, value: Tensor, component: str = "generator") -> States:
    return {**states, component: {**states[component], key: value}}


def no_encoder(key: str, value: Tensor) -> tuple[str, Tensor] | None:
    return None if "hourglass.encoder" in key else (key, value)


@pytest.mark.parametrize(("change", "says"), MISMATCHED.values(), ids=MISMATCHED)
def test_mismatched_files(tmp_path: Path, change: Callable[[States], Mapping[str, object]], says: list[str]) -> None:
    path = saved(change(states_of(network())), tmp_path / "vox-cpk.pth.tar")
    assert_complaint(lambda: loaded(path), *says, "vox-cpk.pth.tar")


FOREIGN = {
    "articulate": {
        "generator": {"pixelwise_flow_predictor.mask.weight": torch.ones(1)},
        "region_predictor": {"regions.weight": torch.ones(1)},
    },
    "spline": {
        "inpainting_network": {"first.conv.weight": torch.ones(1)},
        "dense_motion_network": {"hourglass.a": torch.ones(1)},
        "kp_detector": {"fg_encoder.a": torch.ones(1)},
    },
    "unknown": {"model": {"layers.0.weight": torch.ones(2)}},
}
NAMES = {"articulate": "Articulated Animation", "spline": "Thin-Plate Spline", "unknown": "no architecture"}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_told_apart(tmp_path: Path, kind: str) -> None:
    path = saved(FOREIGN[kind], tmp_path / "vox-cpk.pth.tar")
    assert_complaint(lambda: loaded(path), NAMES[kind], "vox-cpk.pth.tar", "FOMM")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.7, 0.99])
def test_truncated_files(tmp_path: Path, zipped: bool, part: float) -> None:
    path = saved(states_of(network()), tmp_path / "vox-cpk.pth.tar", zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert_complaint(lambda: loaded(path), "vox-cpk.pth.tar")


class Attack:
    """Pickles as a call that would write a file."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (str(self.sentinel), "w")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_hostile_entry_beside_good_weights(tmp_path: Path, zipped: bool) -> None:
    content = {**states_of(network()), "optimizer_generator": Attack(tmp_path / "sentinel")}
    path = saved(content, tmp_path / "vox-cpk.pth.tar", zipped)
    assert_complaint(lambda: loaded(path), "vox-cpk.pth.tar", "refused", "io.open")
    assert not (tmp_path / "sentinel").exists()


def described(config: FOMMConfig = FOMM, **changes: object) -> dict[str, Any]:
    return {**asdict(config), **changes}


METADATA: dict[str, tuple[object, str]] = {
    "not_json": ("{", "256"),
    "a_list": ([1], "256"),
    "a_text": ("'vox'", "256"),
    "parts_missing": ({}, "256"),
    "unknown_setting": (described(speed=3), "256"),
    "text_for_a_number": (described(num_kp="ten"), "256"),
    "null": (described(num_kp=None), "256"),
    "enormous": (described(kp_detector={**asdict(FOMM.kp_detector), "block_expansion": 60000}), "256"),
    "endless": (described(generator={**asdict(FOMM.generator), "num_bottleneck_blocks": 10**9}), "256"),
    "zero_size": (described(), "0"),
    "size_of_text": (described(), "large"),
    "odd_sigma": (described(sigma=1e9), "256"),
    "deep": ("[" * 100_000, "256"),
}


@pytest.mark.parametrize(("config", "size"), METADATA.values(), ids=METADATA)
def test_hostile_metadata(tmp_path: Path, config: object, size: str) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    flat = {f"{part}.{key}": value for part, state in states_of(network()).items() for key, value in state.items()}
    save_file(flat, tmp_path / "vox.safetensors", metadata={"architecture": "fomm", "config": text, "size": size})
    assert_complaint(lambda: loaded(tmp_path / "vox.safetensors"), "vox.safetensors")


def test_configuration_errors_are_checkpoint_errors() -> None:
    with pytest.raises(CheckpointError, match="unknown setting"):
        from_published(yaml.safe_load(edited("common_params", bg=1)))
