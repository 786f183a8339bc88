"""Product of two batches of matrices, as a layer, so that inference can exchange how it is worked out."""

from __future__ import annotations

from torch import Tensor, nn


class MatMul(nn.Module):
    """Matrix product of each element of a batch; it has no weights."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Multiply (B, n, k) by (1 or B, k, m): (B, n, m)."""
        return a @ b
