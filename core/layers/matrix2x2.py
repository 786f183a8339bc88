"""Two-by-two linear maps, in closed form: exact on any device, exportable, and without a host sync."""

from __future__ import annotations

import torch
from torch import Tensor

TINY_DETERMINANT = 1e-12


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Inverse of (..., 2, 2) matrices, adjugate over determinant.

    A determinant closer to zero than 1e-12 is taken as that, so that a collapsed map gives a large finite
    inverse instead of infinities that would spoil the whole picture.
    """
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    floor = torch.full_like(determinant, TINY_DETERMINANT).copysign(determinant)
    determinant = torch.where(determinant.abs() < TINY_DETERMINANT, floor, determinant)
    adjugate = torch.stack([d, -b, -c, a], dim=-1).view(matrix.shape)
    return adjugate / determinant[..., None, None]
