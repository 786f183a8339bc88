"""Small matrices in closed form: exact on any device, exportable, and without waiting for the device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TINY_DETERMINANT = 1e-12


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Invert matrices (..., 2, 2): adjugate over determinant.

    A determinant closer to zero than 1e-12 is taken as that, with its sign, so that a collapsed map gives a large
    finite inverse instead of infinities that would spoil the whole picture.
    """
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    tiny = torch.full_like(determinant, TINY_DETERMINANT)
    floor = torch.where(determinant < 0, -tiny, tiny)  # `copysign` cannot be exported to ONNX
    determinant = torch.where(determinant.abs() < TINY_DETERMINANT, floor, determinant)
    adjugate = torch.stack([d, -b, -c, a], dim=-1).view(matrix.shape)
    return adjugate / determinant[..., None, None]


def homogeneous(affine: Tensor) -> Tensor:
    """Put the row (0, 0, 1) under affine maps (B, 2, 3): matrices (B, 3, 3) on homogeneous coordinates."""
    last = F.pad(affine.new_ones(affine.shape[0], 1, 1), (2, 0))
    return torch.cat([affine, last], dim=1)
