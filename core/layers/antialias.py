"""Anti-aliased shrinking by a Gaussian blur, as in the first-order family (FOMM code, `modules/util.py`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def blur_sigma(scale: float) -> float:
    """Return the papers' standard deviation for a scale in (0, 1]: half the number of pixels left out."""
    return (1 / scale - 1) / 2


def gaussian_kernel(sigma: float) -> Tensor:
    """Make a normalised 2-D Gaussian (n, n), n = 2 round(4 sigma) + 1 (ties to even).

    It is on the CPU, even where networks are built on the meta device: arithmetic there makes PyTorch import its
    compiler, which takes a second or two.
    """
    n = 2 * round(sigma * 4) + 1
    ramp = torch.arange(n, dtype=torch.float32, device="cpu") - n // 2
    bell = torch.exp(-(ramp**2) / (2 * sigma**2)) if sigma > 0 else torch.ones(1, device="cpu")
    kernel = bell[:, None] * bell[None, :]
    return kernel / kernel.sum()


class AntiAliasInterpolation2d(nn.Module):
    """Gaussian blur, of which every (1/scale)-th pixel is kept, from the first on.

    `weight` (channels, 1, n, n) is a buffer and part of published checkpoints. `sigma` overrides the
    scale's own blur: weights trained at another scale keep the kernel they were stored with.
    """

    weight: Tensor

    def __init__(self, channels: int, scale: float, sigma: float | None = None) -> None:
        super().__init__()
        kernel = gaussian_kernel(blur_sigma(scale) if sigma is None else sigma)
        self.register_buffer("weight", kernel.expand(channels, 1, *kernel.shape).contiguous())
        self.stride = int(1 / scale)

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, channels, H * scale, W * scale)."""
        channels, padding = self.weight.shape[0], self.weight.shape[-1] // 2
        return F.conv2d(input, self.weight, stride=self.stride, padding=padding, groups=channels)


def shrink(channels: int, scale: float, sigma: float | None = None) -> nn.Module:
    """Make an anti-aliased shrinking; at scale 1 the published networks have no layer, and no key, for it."""
    return nn.Identity() if scale == 1 else AntiAliasInterpolation2d(channels, scale, sigma)
