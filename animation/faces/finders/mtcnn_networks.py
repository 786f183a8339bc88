"""MTCNN's three networks, written out for the state dicts of the package `facenet-pytorch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ....core.weights.container import container_of
from ....core.weights.torch_file import read_torch_file
from .installed import files_of, reporting_damage

Floats = NDArray[np.float32]
State = Mapping[str, Tensor]
PACKAGE = "facenet_pytorch"
FILES = ("data/pnet.pt", "data/rnet.pt", "data/onet.pt")  # the paper's names


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks whose pictures are (N, 3, H, W) in -1..1. Corrections and landmarks are parts of the square.

    `first` (one picture of any size) -> scores (h, w), corrections (4, h, w); `second` (24 x 24) -> scores (N),
    corrections (N, 4); `third` (48 x 48) -> the same and landmarks (N, 5, 2).
    """

    first: Callable[[Floats], list[Floats]]
    second: Callable[[Floats], list[Floats]]
    third: Callable[[Floats], list[Floats]]


def load_networks(device: torch.device) -> Networks:
    """Load the files of the package, and run each network once."""
    networks = (_first, _second, _third)
    first, second, third = (
        _with_weights(network, file, device) for network, file in zip(networks, files_of(PACKAGE, *FILES), strict=True)
    )
    with reporting_damage("facenet-pytorch"):
        for run, side in ((first, 12), (second, 24), (third, 48)):
            run(np.zeros((1, 3, side, side), np.float32))
    return Networks(first, second, third)


def _with_weights(
    network: Callable[[State, Tensor], tuple[Tensor, ...]], file: Path, device: torch.device
) -> Callable[[Floats], list[Floats]]:
    """Bind a network to the weights of a file."""
    state = _read(file, device)

    @torch.inference_mode()
    def run(pictures: Floats) -> list[Floats]:
        return [result.cpu().numpy() for result in network(state, torch.as_tensor(pictures, device=device))]

    return run


def _read(file: Path, device: torch.device) -> State:
    with reporting_damage(file.name):
        content = cast(State, read_torch_file(file, container_of(file)))
        return {name: value.to(device, torch.float32) for name, value in content.items()}


def _conv(state: State, x: Tensor, number: int, pool: tuple[int, int] | None = None) -> Tensor:
    x = F.conv2d(x, state[f"conv{number}.weight"], state[f"conv{number}.bias"])
    x = F.prelu(x, state[f"prelu{number}.weight"])
    return x if pool is None else F.max_pool2d(x, *pool, ceil_mode=True)


def _dense(state: State, x: Tensor, name: str) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _first(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, _conv(state, x, 1, (2, 2)), 2), 3)
    scores, corrections = (F.conv2d(x, state[f"conv4_{i}.weight"], state[f"conv4_{i}.bias"]) for i in (1, 2))
    return scores.softmax(1)[0, 1], corrections[0]


def _second(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, _conv(state, x, 1, (3, 2)), 2, (3, 2)), 3)
    x = F.prelu(_dense(state, x.permute(0, 3, 2, 1).flatten(1), "dense4"), state["prelu4.weight"])
    return _dense(state, x, "dense5_1").softmax(1)[:, 1], _dense(state, x, "dense5_2")


def _third(state: State, x: Tensor) -> tuple[Tensor, ...]:
    x = _conv(state, _conv(state, x, 1, (3, 2)), 2, (3, 2))
    x = _conv(state, _conv(state, x, 3, (2, 2)), 4)
    x = F.prelu(_dense(state, x.permute(0, 3, 2, 1).flatten(1), "dense5"), state["prelu5.weight"])
    points = _dense(state, x, "dense6_3").view(-1, 2, 5).transpose(1, 2)
    return _dense(state, x, "dense6_1").softmax(1)[:, 1], _dense(state, x, "dense6_2"), points
