"""Muon (Jordan and others, 2024) for the inner convolutions: momentum, made nearly orthogonal before every step.

Adam moves every number on its own; Muon moves a layer as the matrix that it is, by about as much in each of its
directions. Narrow networks came to a lower loss with it at the same number of steps.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)  # brings singular values in (0, 1] to about 1 (0.7 to 1.2) in five rounds
ROUNDS = 5
INNER_SIDE, INNER_WIDTH = 3, 8  # convolutions that see or make pictures and maps have larger kernels or are narrower


def is_inner(parameter: nn.Parameter) -> bool:
    """Tell whether a parameter is the weight of a convolution from many maps to many."""
    shape = parameter.shape
    return len(shape) == 4 and shape[2] == INNER_SIDE and min(shape[:2]) >= INNER_WIDTH


def nearly_orthogonal(matrix: Tensor) -> Tensor:
    """Change a matrix (m, n) = U S V^T to about U V^T: its singular values become about 1.

    The Newton-Schulz rounds run on the smaller of its two square products, so that only two multiplications are
    as large as the matrix.
    """
    upright = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if upright else matrix
    wide = wide / (wide.square().sum().sqrt() + 1e-12)
    square = wide @ wide.T
    unit = torch.eye(len(square), dtype=square.dtype, device=square.device)
    (a, b, c), result = QUINTIC, unit
    for _ in range(ROUNDS):
        factor = a * unit + b * square + c * (square @ square)
        result, square = factor @ result, factor @ square @ factor
    wide = result @ wide
    return wide.T if upright else wide


class Muon(torch.optim.Optimizer):
    """Steps of root mean square `scale` times the learning rate: Adam's rate serves both (Liu and others, 2025)."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, scale: float = 0.4
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "scale": scale})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(self.direction(parameter, group["momentum"]), alpha=group["lr"] * group["scale"])

    def direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """Update a parameter's momentum and return its direction, of root mean square about 1."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        state["momentum"].mul_(momentum).add_(gradient)
        matrix = (gradient + momentum * state["momentum"]).flatten(1)  # Nesterov's
        return nearly_orthogonal(matrix).mul_(max(matrix.shape) ** 0.5).reshape(parameter.shape)
