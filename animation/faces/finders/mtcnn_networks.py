"""MTCNN's three networks, from ONNX files or, written out for PyTorch, from a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .installed import files_of, need, reporting_damage
from .onnx_file import missing_runtime, open_onnx, read_model

Floats = NDArray[np.float32]
State = Mapping[str, Tensor]
NAMES = ("pnet", "rnet", "onet")  # the paper's
ONNX = "mtcnnruntime", *(f"weights/{name}.onnx" for name in NAMES)
TORCH = "facenet_pytorch", *(f"data/{name}.pt" for name in NAMES)
SAMPLES = ((1, 3, 24, 30), (2, 3, 24, 24), (2, 3, 48, 48))


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks whose pictures are (N, 3, H, W) in -1..1, and whose landmarks are parts of the square.

    `first` (one picture of any size) -> scores (h, w), corrections (4, h, w); `second` (24 x 24) -> scores (N),
    corrections (N, 4); `third` (48 x 48) -> the same and landmarks (N, 5, 2).
    """

    first: Callable[[Floats], tuple[Floats, Floats]]
    second: Callable[[Floats], tuple[Floats, Floats]]
    third: Callable[[Floats], tuple[Floats, Floats, Floats]]


def missing_onnx() -> str | None:
    """Name the first missing part for the ONNX files."""
    return need(files_of(*ONNX), "the package mtcnn-runtime or facenet-pytorch") or missing_runtime()


def missing_torch() -> str | None:
    """Name the missing part for PyTorch's files."""
    return need(files_of(*TORCH), "the package facenet-pytorch")


def from_onnx() -> Networks:
    """Load the files of the package mtcnn-runtime."""
    counts = (2, 2, 3)
    first, second, third = (
        open_onnx(read_model(file), [f"output{i + 1}" for i in range(count)], sample)
        for file, count, sample in zip(files_of(*ONNX) or (), counts, SAMPLES, strict=True)
    )
    return _named(first, second, third)


def from_torch(device: torch.device) -> Networks:
    """Load the files of the package facenet-pytorch."""
    first, second, third = (
        _on(device, network, file)
        for file, network in zip(files_of(*TORCH) or (), (_first, _second, _third), strict=True)
    )
    for run, sample in zip((first, second, third), SAMPLES, strict=True):
        with reporting_damage("facenet-pytorch"):
            run(np.zeros(sample, np.float32))
    return _named(first, second, third)


def _named(*networks: Callable[[Floats], list[Floats]]) -> Networks:
    """Name and order results, which the files give as (landmarks,) corrections, probabilities of no face and face."""
    run_first, run_second, run_third = networks

    def first(pictures: Floats) -> tuple[Floats, Floats]:
        corrections, scores = run_first(pictures)
        return scores[0, 1], corrections[0]

    def second(pictures: Floats) -> tuple[Floats, Floats]:
        corrections, scores = run_second(pictures)
        return scores[:, 1], corrections

    def third(pictures: Floats) -> tuple[Floats, Floats, Floats]:
        points, corrections, scores = run_third(pictures)
        return scores[:, 1], corrections, points.reshape(-1, 2, 5).swapaxes(1, 2)

    return Networks(first, second, third)


def _on(
    device: torch.device, network: Callable[[State, Tensor], tuple[Tensor, ...]], file: Path
) -> Callable[[Floats], list[Floats]]:
    with reporting_damage(file.name):
        content: Any = torch.load(file, map_location=device, weights_only=True)
        state: State = {name: value.float() for name, value in content.items()}

    @torch.inference_mode()
    def run(pictures: Floats) -> list[Floats]:
        return [result.cpu().numpy() for result in network(state, torch.from_numpy(pictures).to(device))]

    return run


def _conv(state: State, x: Tensor, number: int, pool: tuple[int, int] | None = None) -> Tensor:
    x = F.conv2d(x, state[f"conv{number}.weight"], state[f"conv{number}.bias"])
    x = F.prelu(x, state[f"prelu{number}.weight"])
    return x if pool is None else F.max_pool2d(x, *pool, ceil_mode=True)


def _dense(state: State, x: Tensor, name: str) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _first(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, _conv(state, x, 1, (2, 2)), 2), 3)
    scores, corrections = (F.conv2d(x, state[f"conv4_{i}.weight"], state[f"conv4_{i}.bias"]) for i in (1, 2))
    return corrections, scores.softmax(1)


def _second(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, _conv(state, x, 1, (3, 2)), 2, (3, 2)), 3)
    x = F.prelu(_dense(state, x.permute(0, 3, 2, 1).flatten(1), "dense4"), state["prelu4.weight"])
    return _dense(state, x, "dense5_2"), _dense(state, x, "dense5_1").softmax(1)


def _third(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, x, 1, (3, 2)), 2, (3, 2))
    x = _conv(state, _conv(state, x, 3, (2, 2)), 4)
    x = F.prelu(_dense(state, x.permute(0, 3, 2, 1).flatten(1), "dense5"), state["prelu5.weight"])
    return _dense(state, x, "dense6_3"), _dense(state, x, "dense6_2"), _dense(state, x, "dense6_1").softmax(1)
