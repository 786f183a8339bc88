"""Attention and feed-forward, the two halves of a transformer's layer, without norms."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

KeysValues = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Multi-head attention among tokens of `dim` numbers, or from them to a memory of tokens of `kv_dim` numbers."""

    def __init__(self, dim: int, inner: int, head_dim: int, kv_dim: int | None = None) -> None:
        super().__init__()
        self.head_dim = head_dim
        if kv_dim is None:
            self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        else:
            self.to_q = nn.Linear(dim, inner, bias=False)
            self.to_kv = nn.Linear(kv_dim, 2 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, dim))

    def by_head(self, x: Tensor) -> Tensor:
        """Split (B, N, inner) among the heads: (B, heads, N, head_dim)."""
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Compute keys and values of a memory (B, T, kv_dim): (B, heads, T, head_dim) each."""
        keys, values = (self.by_head(part).contiguous() for part in self.to_kv(memory).chunk(2, dim=-1))
        return keys, values

    def forward(self, x: Tensor, memory: KeysValues | None = None) -> Tensor:
        """Map tokens (B, N, dim) to as many, by themselves or by a memory's keys and values."""
        if memory is None:
            query, keys, values = (self.by_head(part) for part in self.to_qkv(x).chunk(3, dim=-1))
        else:
            query, (keys, values) = self.by_head(self.to_q(x)), memory
        return self.to_out(F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        dropout = nn.Identity()  # counted in the published keys
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), dropout, nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., dim) to the same shape."""
        return self.net(x)
