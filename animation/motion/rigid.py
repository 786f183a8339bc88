"""Rigid part of a change of pose: the similarity (rotation, uniform scale, shift) nearest to it.

Umeyama's least-squares fit (PAMI 1991) is in two dimensions one division of complex numbers: with points as z = x + iy
about their means, a = sum(conj(z) w) / sum(|z|^2) turns and scales z onto w. It needs no decomposition, no choice of
signs, and no wait for the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import Self

TINY = 1e-12  # squared lengths below this are points that all lie in one place


@dataclass(frozen=True, slots=True)
class Similarity:
    """Batch of similarities z -> M (z - `start`) + `end`, where M = [[re, -im], [im, re]].

    `re` and `im` are (B, 1), `start` and `end`, the means of the points before and after, (B, 1, 2).
    """

    re: Tensor
    im: Tensor
    start: Tensor
    end: Tensor

    @classmethod
    def fit(cls, before: Tensor, after: Tensor) -> Self:
        """Fit to points (1 or B, K, 2) and where they went (B, K, 2); points in one place only move."""
        start, end = before.mean(dim=1, keepdim=True), after.mean(dim=1, keepdim=True)
        x, y = (before - start).unbind(-1)
        u, v = (after - end).unbind(-1)
        length = (x * x + y * y).sum(dim=1, keepdim=True)
        re, im = ((x * u + y * v).sum(1, keepdim=True), (x * v - y * u).sum(1, keepdim=True))
        flat = (length < TINY) | (re * re + im * im < TINY * length)  # nothing to turn, or nothing left of it
        divisor = torch.where(flat, torch.ones_like(length), length)
        re = torch.where(flat, torch.ones_like(re), re / divisor)
        return cls(re, torch.where(flat, torch.zeros_like(im), im / divisor), start.expand_as(end), end)

    @property
    def matrix(self) -> Tensor:
        """The linear part M: (B, 1, 2, 2)."""
        return torch.stack([self.re, -self.im, self.im, self.re], dim=-1).view(*self.re.shape, 2, 2)

    def __call__(self, points: Tensor) -> Tensor:
        """Move points (1 or B, K, 2)."""
        return self.turn(points - self.start) + self.end

    def turn(self, vectors: Tensor) -> Tensor:
        """Turn and scale vectors (1 or B, K, 2), without moving them."""
        x, y = vectors.unbind(-1)
        return torch.stack([self.re * x - self.im * y, self.im * x + self.re * y], dim=-1)

    def inverse(self) -> Self:
        """Return the similarities that undo these."""
        length = self.re * self.re + self.im * self.im
        return type(self)(self.re / length, -self.im / length, self.end, self.start)

    def power(self, share: float) -> Self:
        """Go `share` of the way from no change to these: angle and shift times it, scale to its power."""
        length = (self.re * self.re + self.im * self.im).sqrt() ** share
        angle = share * torch.atan2(self.im, self.re)
        end = self.start + share * (self.end - self.start)
        return type(self)(length * angle.cos(), length * angle.sin(), self.start, end)
