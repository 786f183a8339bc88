"""Thin-plate splines through pairs of control points (Thin-Plate Spline Motion Model, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.layers.heatmap import at_least_float32

REGULARISER = 0.01  # on the whole diagonal; the published weights were trained with it
SOLVERS = ("cpu", "cuda")  # devices that solve linear systems in double precision
NEVER_ZERO = 1e-9  # keeps the logarithm finite where a position lies on a control point

# unlike `solve`, it does not wait for the device to say whether a matrix was singular; the regularised ones are not
SOLVE = cast("Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]", torch.linalg.solve_ex)  # pyright: ignore[reportUnknownMemberType]


def kernel(squared: Tensor) -> Tensor:
    """Compute U(r) = r^2 log r^2 of squared distances, the bending of a thin plate around a point.

    Not for half precision: there `NEVER_ZERO` is zero, and U(0) not a number.
    """
    return squared * torch.log(squared + NEVER_ZERO)


@dataclass(frozen=True, slots=True)
class ThinPlate:
    """Splines T(z) = A z + b + sum_i c_i U(|z - p_i|), K of them with N control points each.

    `points` (B, K, N, 2) are the p_i, `bending` (B, K, N, 2) the c_i, `theta` (B, K, 2, 3) is [A b].
    """

    points: Tensor
    bending: Tensor
    theta: Tensor

    def __call__(self, grid: Tensor) -> Tensor:
        """Transform the positions of a grid (h, w, 2): (B, K, h, w, 2)."""
        offset = grid - self.points[:, :, :, None, None, :]
        bent = kernel(offset.square().sum(-1))  # (B, K, N, h, w)
        x, y = grid.unbind(-1)
        moved: list[Tensor] = []
        for axis in range(2):  # plain sums: a product's rounding depends on the size of the batch
            a, b, shift = self.theta[:, :, axis, :, None, None].unbind(2)
            weights = self.bending[..., axis, None, None]
            moved.append(a * x + b * y + shift + (weights * bent).sum(dim=2))
        return torch.stack(moved, dim=-1)


def system(points: Tensor) -> Tensor:
    """Build the regularised matrix of splines' linear systems: (..., N, 2) -> (..., N + 3, N + 3).

    [[U(|p_i - p_j|), P], [P^T, 0]] + 0.01 I with rows (x, y, 1) in P.
    """
    count = points.shape[-2]
    differences = points[..., :, None, :] - points[..., None, :, :]
    matrix = points.new_zeros(*points.shape[:-2], count + 3, count + 3)
    matrix[..., :count, :count] = kernel(differences.square().sum(-1))
    matrix[..., :count, count:] = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    matrix[..., count:, :count] = matrix[..., :count, count:].mT
    return matrix + REGULARISER * torch.eye(count + 3, dtype=points.dtype, device=points.device)


def eliminate(matrix: Tensor, values: Tensor) -> Tensor:
    """Solve linear systems (..., n, n) for values (..., n, m) by elementary operations: (..., n, m).

    Gauss and Jordan's elimination, which takes the largest of a column's entries as its pivot, and leaves rows where
    they are. For graphs that are exported: ONNX has no solver of linear systems.
    """
    count = matrix.shape[-1]
    places = torch.arange(count, device=matrix.device)
    both, free, chosen = torch.cat([matrix, values], dim=-1), torch.ones_like(matrix[..., 0]), list[Tensor]()
    for step in range(count):
        column = both[..., step]  # (..., n)
        pivot = ((column.abs() + 1) * free).argmax(dim=-1, keepdim=True) == places
        hot = pivot.to(both)[..., None]  # (..., n, 1)
        row = (both * hot).sum(dim=-2, keepdim=True)
        row = row / row[..., step : step + 1]
        both = torch.where(pivot[..., None], row, both - column[..., None] * row)
        free = free * (1 - hot[..., 0])
        chosen.append(hot)
    return torch.cat([(both[..., count:] * hot).sum(dim=-2, keepdim=True) for hot in chosen], dim=-2)


def fit(points: Tensor, targets: Tensor) -> ThinPlate:
    """Fit splines that send control points to targets, both (B, K, N, 2), nearly: the regulariser lets them miss.

    Solved in double precision, which clustered points need, on the CPU where the device may lack it; returned in
    float32, or with all bits where `points` have them.
    """
    solver = points.device if points.device.type in SOLVERS else torch.device("cpu")
    values = F.pad(targets.to(solver, torch.float64), (0, 0, 0, 3))  # (B, K, N + 3, 2)
    matrix = system(points.to(solver, torch.float64))
    solution = eliminate(matrix, values) if torch.compiler.is_compiling() else SOLVE(matrix, values)[0]
    points = at_least_float32(points)
    count, solution = points.shape[-2], solution.to(points)
    return ThinPlate(points, solution[..., :count, :], solution[..., count:, :].mT)
