"""Powers of two-by-two linear maps by polar decomposition, in closed form: half of a turn is half its angle."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_GAP = 1e-6  # between the stretches of a map, as a share of the larger, below which they count as equal


def power_2x2(maps: Tensor, share: float) -> Tensor:
    """Raise maps (..., 2, 2) to the power `share`: of R = Q S, the rotation Q by `share` times its angle, S^share.

    Where the determinant is not positive there is no such rotation; there it is a line, I + share (R - I).
    """
    a, b, c, d = maps[..., 0, 0], maps[..., 0, 1], maps[..., 1, 0], maps[..., 1, 1]
    determinant = a * d - b * c
    angle = torch.atan2(c - b, a + d)
    stretch = rotation(-angle) @ maps
    powered = rotation(share * angle) @ _symmetric_power(stretch, determinant, share)
    identity = torch.eye(2, dtype=maps.dtype, device=maps.device)
    line = identity + share * (maps - identity)
    return torch.where((determinant > 0)[..., None, None], powered, line)


def rotation(angle: Tensor) -> Tensor:
    """Build rotations (..., 2, 2) by angles (...), from x towards y."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=-1).view(*angle.shape, 2, 2)


def _symmetric_power(maps: Tensor, determinant: Tensor, share: float) -> Tensor:
    """Raise symmetric maps (..., 2, 2) with positive eigenvalues k > l to a power.

    By Cayley and Hamilton it is l^s I + slope (S - l I), with slope = (k^s - l^s) / (k - l).
    """
    a, b, c = maps[..., 0, 0], (maps[..., 0, 1] + maps[..., 1, 0]) / 2, maps[..., 1, 1]
    tiny = torch.finfo(maps.dtype).tiny
    large = ((a + c) / 2 + (((a - c) / 2).square() + b * b).sqrt()).clamp_min(tiny)
    small = (determinant / large).clamp_min(tiny)
    gap = large - small
    equal = gap < LEAST_GAP * large
    safe = torch.where(equal, torch.ones_like(gap), gap)
    slope = torch.where(equal, share * large ** (share - 1), (large**share - small**share) / safe)
    rest = small**share - slope * small
    return torch.stack([slope * a + rest, slope * b, slope * b, slope * c + rest], dim=-1).view(maps.shape)
