"""Pre-norm transformers, whose keys and values may come from elsewhere (section 3.2); keys are the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from ..core.layers.attention import Attention, FeedForward, KeysValues


class PreNorm(nn.Module):
    """Residual connection around a layer norm and another layer: x + f(norm(x))."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: Tensor, *more: KeysValues | None) -> Tensor:
        """Map tokens (B, N, dim) to the same shape."""
        return x + self.fn(self.norm(x), *more)


class Layer(nn.ModuleList):
    """Attention, then feed-forward."""

    def __init__(self, dim: int, inner: int, head_dim: int, hidden: int, kv_dim: int | None) -> None:
        attention, feed_forward = Attention(dim, inner, head_dim, kv_dim), FeedForward(dim, hidden)
        super().__init__([PreNorm(dim, attention), PreNorm(dim, feed_forward)])

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Compute keys and values of a memory (B, T, kv_dim), which is taken as it is, without a norm."""
        return cast(Attention, self.get_submodule("0.fn")).keys_values(memory)

    def forward(self, x: Tensor, memory: KeysValues | None) -> Tensor:
        """Map tokens (B, N, dim) to the same shape."""
        return self[1](self[0](x, memory))


class Transformer(nn.Module):
    """Layers of attention and feed-forward; no norm behind the last.

    What enters is float32, and what they add to it may have been worked out with fewer bits.
    """

    def __init__(self, dim: int, depth: int, inner: int, head_dim: int, hidden: int, kv_dim: int | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(dim, inner, head_dim, hidden, kv_dim) for _ in range(depth))

    def keys_values(self, memory: Tensor) -> list[KeysValues]:
        """Compute every layer's keys and values of a memory (B, T, kv_dim)."""
        return [cast(Layer, layer).keys_values(memory) for layer in self.layers]

    def forward(self, x: Tensor, memory: Sequence[KeysValues] | None = None) -> Tensor:
        """Map tokens (B, N, dim) to the same shape; layers with a `kv_dim` need the `memory` of `keys_values`."""
        for number, layer in enumerate(self.layers):
            x = layer(x, None if memory is None else memory[number])
        return x
