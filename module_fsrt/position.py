"""Sine and cosine codes of positions.

Where pixels lie, the upper octaves are whole multiples of pi, and their sines the rounding of float32 that
training saw. So codes are made in float32, by these operations in this order, and only then may be rounded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def position_code(values: Tensor, octaves: int, start: int) -> Tensor:
    """Encode numbers (..., n) by their sines at every octave, then their cosines: (..., 2 n octaves)."""
    powers = torch.arange(start, start + octaves, dtype=torch.float32, device=values.device)
    angles = (values.float()[..., None] * (2**powers * math.pi)).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def pixel_centres(height: int, width: int, device: torch.device) -> Tensor:
    """Make a grid (height, width, 2) of (x, y), [-1, 1] spanning the picture from edge to edge."""
    x, y = ((torch.arange(n, device=device) + 0.5 - n / 2) / (n / 2) for n in (width, height))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
