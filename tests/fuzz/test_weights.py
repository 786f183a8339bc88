"""Made-up weight files: each gives tensors that are in it, or one clear line, in bounded time and memory.

A few hundred of each kind by default, ten thousand with `--long`.
"""

from __future__ import annotations

import json
import random
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from first_order_motion.animation.registry import load_animator, read_with_companions
from first_order_motion.core.errors import FirstOrderError
from first_order_motion.core.weights.checkpoint import Checkpoint, read_checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from fuzz.mutate import MUTATORS, ODD_VALUES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from support.architectures import one_thread, tiny
from torch import nn

resource = pytest.importorskip("resource")

MODELS = ("fomm", "spline", "articulate", "partswap", "mrfa", "fsrt")  # architectures, and small models of each
LIMIT = 2.0  # seconds of this process, for one file
MEMORY = 200 * 2**20  # bytes that all files together may add to the process's most
LONGEST = 300  # characters of a message, beside the path


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def seed_file(path: Path, kind: str) -> bytes:
    """A whole file with what published ones hold: networks, an optimizer, numbers, a NumPy scalar, a view."""
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    state = OrderedDict(network.state_dict())
    if kind == "safetensors":
        save_file({f"generator.{key}": value for key, value in state.items()}, path, metadata={"config": "{}"})
    else:
        content = {
            "generator": state,
            "kp_detector": {"a": state["0.weight"], "b": state["0.weight"][1:], "c": torch.ones(3).half()},
            "optimizer": torch.optim.Adam(network.parameters()).state_dict(),
            "epoch": 3,
            "loss": np.float64(0.5),
        }
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()


def most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def assert_in_the_file(found: Checkpoint, data: bytes) -> None:
    """Every tensor is a plain one, and its bytes are bytes of the file."""
    for state in found.components.values():
        for tensor in state.values():
            assert type(tensor) is torch.Tensor and tensor.device.type == "cpu" and not tensor.requires_grad
            assert tensor.nbytes <= len(data)
            if tensor.is_contiguous() and tensor.numel():
                assert tensor.reshape(-1).view(torch.uint8).numpy().tobytes() in data


def assert_one_line(error: FirstOrderError, path: Path) -> None:
    message = str(error).replace(str(path), path.name)
    assert message.isprintable() and len(message) <= LONGEST, message


@pytest.mark.filterwarnings("ignore:Duplicate name")  # as the damage wants it
@pytest.mark.parametrize("kind", MUTATORS)
def test_damaged_files(tmp_path: Path, kind: str, pytestconfig: pytest.Config) -> None:
    rounds = 10_000 if pytestconfig.getoption("--long") else 600
    path, dice = tmp_path / "a.pth", random.Random(f"{kind} {rounds}")
    whole = seed_file(path, kind)
    read_checkpoint(path)
    before, slowest, read = most_memory(), 0.0, 0
    for _ in range(rounds):
        data = dice.choice(MUTATORS[kind])(whole, dice)
        path.write_bytes(data)
        started = time.process_time()
        try:
            assert_in_the_file(read_checkpoint(path), data)
            read += 1
        except FirstOrderError as error:
            assert_one_line(error, path)
        slowest = max(slowest, time.process_time() - started)
        assert slowest < LIMIT
    added = most_memory() - before
    print(f"{kind}: {rounds} files, {read} read, slowest {slowest:.3f} s, {added / 2**20:.0f} MiB more memory")
    assert added < MEMORY
    assert 0 < read < rounds  # some damage touches nothing that is read, most does
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pth"]


def described(name: str, path: Path) -> dict[str, Any]:
    """Write a small network of an architecture with its metadata, and return its configuration."""
    animator = tiny(name)
    states = {part: dict(module.state_dict()) for part, module in animator.named_children()}
    metadata = to_metadata(name, animator.config, animator.spec.size)
    to_safetensors(Checkpoint(path, {part: state for part, state in states.items() if state}), path, metadata=metadata)
    return asdict(animator.config)


numbers = st.one_of(st.integers(-(2**70), 2**70), st.integers(-3, 70), st.floats(), st.sampled_from(ODD_VALUES[:13]))
values = st.one_of(numbers, st.text(max_size=50), st.sampled_from(ODD_VALUES))


def places(config: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in config.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def with_value(config: dict[str, Any], place: tuple[str, ...], value: object) -> dict[str, Any]:
    inner = value if len(place) == 1 else with_value(config[place[0]], place[1:], value)
    return {**config, place[0]: inner}


@pytest.mark.parametrize("name", MODELS)
def test_odd_metadata(tmp_path: Path, name: str, pytestconfig: pytest.Config) -> None:
    path = tmp_path / "a.safetensors"
    config = described(name, path)
    checkpoint = read_with_companions(path)
    rounds = 10_000 if pytestconfig.getoption("--long") else 40
    whole = load_animator(path, name).config

    @settings(max_examples=rounds, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])
    @given(place=st.sampled_from([*places(config), ("strange",)]), value=values, size=st.one_of(st.just("64"), values))
    def check(place: tuple[str, ...], value: object, size: object) -> None:
        text = json.dumps(with_value(config, place, value))
        path.with_name("b.safetensors").unlink(missing_ok=True)
        odd = {"architecture": name, "config": text, "size": size if isinstance(size, str) else json.dumps(size)}
        to_safetensors(checkpoint, path.with_name("b.safetensors"), metadata=odd)
        started = time.process_time()
        try:
            load_animator(path.with_name("b.safetensors"), name)
        except FirstOrderError as error:
            assert_one_line(error, path.with_name("b.safetensors"))
        assert time.process_time() - started < LIMIT

    check()
    assert load_animator(path, name).config == whole
