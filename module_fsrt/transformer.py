"""Pre-norm transformers, whose keys and values may come from elsewhere (section 3.2); keys are the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

KeysValues = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Attention among `dim` numbers each, or, with `kv_dim`, from them to a memory of `kv_dim` numbers each."""

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
        """(B, N, inner) -> (B, heads, N, head_dim)."""
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """What a memory (B, T, kv_dim) is asked by and answers: (B, heads, T, head_dim) each."""
        keys, values = (self.by_head(part).contiguous() for part in self.to_kv(memory).chunk(2, dim=-1))
        return keys, values

    def forward(self, x: Tensor, memory: KeysValues | None = None) -> Tensor:
        """(B, N, dim) -> (B, N, dim), from the memory's keys and values if there are any."""
        if memory is None:
            query, keys, values = (self.by_head(part) for part in self.to_qkv(x).chunk(3, dim=-1))
        else:
            query, (keys, values) = self.by_head(self.to_q(x)), memory
        return self.to_out(F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers; between them an exact GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        dropout = nn.Identity()  # counted in the published keys
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), dropout, nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim), unchanged in shape."""
        return self.net(x)


class PreNorm(nn.Module):
    """x + f(norm(x))."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: Tensor, *more: KeysValues | None) -> Tensor:
        """(B, N, dim), unchanged in shape."""
        return x + self.fn(self.norm(x), *more)


class Layer(nn.ModuleList):
    """Attention, then feed-forward."""

    def __init__(self, dim: int, inner: int, head_dim: int, hidden: int, kv_dim: int | None) -> None:
        attention, feed_forward = Attention(dim, inner, head_dim, kv_dim), FeedForward(dim, hidden)
        super().__init__([PreNorm(dim, attention), PreNorm(dim, feed_forward)])

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Of a memory (B, T, kv_dim), which is taken as it is, without a norm."""
        return cast(Attention, self.get_submodule("0.fn")).keys_values(memory)

    def forward(self, x: Tensor, memory: KeysValues | None) -> Tensor:
        """(B, N, dim), unchanged in shape."""
        return self[1](self[0](x, memory))


class Transformer(nn.Module):
    """Layers of attention and feed-forward; no norm behind the last.

    What enters is float32, and what they add to it may have been worked out with fewer bits.
    """

    def __init__(self, dim: int, depth: int, inner: int, head_dim: int, hidden: int, kv_dim: int | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(dim, inner, head_dim, hidden, kv_dim) for _ in range(depth))

    def keys_values(self, memory: Tensor) -> list[KeysValues]:
        """Every layer's keys and values of a memory (B, T, kv_dim)."""
        return [cast(Layer, layer).keys_values(memory) for layer in self.layers]

    def forward(self, x: Tensor, memory: Sequence[KeysValues] | None = None) -> Tensor:
        """(B, N, dim), unchanged in shape; `memory` as `keys_values` gives it, for layers that have a `kv_dim`."""
        for number, layer in enumerate(self.layers):
            x = layer(x, None if memory is None else memory[number])
        return x
