"""Mixed precision: heavy layers of a network run with fewer bits, everything else stays in float32.

Heavy are convolutions and linear layers between many channels: nearly all of the work. The layers that end in
coordinates, masks and colours are narrow, and softmax, jacobians, grids, splines and layer norms have no such layers.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..layers.blocks import ResBlock2d
from .upsample_conv import PhasedConv2d

log = logging.getLogger(__name__)

HEAVY = 2**11  # pairs of channels
MOST_LOST = 2**-8  # of a layer's weights by rounding, as a share of their norm; 8 bits lose half of that at most
TF32 = "allow_tf32"
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, PhasedConv2d)  # these only: subclasses may do without `forward`


def to_mixed_precision(
    network: nn.Module,
    dtype: torch.dtype,
    keep_in_fp32: Sequence[str] = (),
    *,
    keep_weights: bool = False,
    heavy: int | None = None,
) -> None:
    """Run layers of at least `heavy` pairs of channels (by default HEAVY) in `dtype`, in place; in float32 those inside
    the submodules `keep_in_fp32`, and those whose weights `dtype` cannot hold.

    Maps keep the type of the layer they come from; each layer casts what enters it to its own. With
    `keep_weights`, for training, weights stay in float32 and are cast at each use.
    """
    fewest = HEAVY if heavy is None else heavy
    kept = {id(module) for name in keep_in_fp32 for module in network.get_submodule(name).modules()}
    refused = 0
    for layer in network.modules():
        if type(layer) in LAYERS:
            lowered = id(layer) not in kept and channel_pairs(layer) >= fewest
            if lowered and keep_weights:
                _cast_at_each_use(layer, dtype)
            else:
                held = lowered and _can_hold(layer, dtype)
                refused += lowered and not held
                layer.to(dtype if held else torch.float32)
                layer.register_forward_pre_hook(_to_dtype_of_weights)
        elif isinstance(layer, nn.LayerNorm):
            layer.register_forward_pre_hook(_to_dtype_of_weights)
    for block in network.modules():
        if isinstance(block, ResBlock2d) and not keep_weights and block.conv2.weight.dtype == dtype:
            block.register_forward_pre_hook(_to_dtype_of_second)  # else a map of float32 is carried past all of them
    if refused:
        log.warning("%d layers with weights that %s cannot hold run in float32.", refused, dtype)


def allow_tf32(network: nn.Module, names: Sequence[str]) -> None:
    """Let the heavy convolutions inside submodules multiply in TensorFloat-32 on CUDA devices, in place.

    It has float32's range, 10 bits of its 23, and sums in float32: 15 times as exact as bfloat16, and nearly as fast.
    """
    for layer in (layer for name in names for layer in network.get_submodule(name).modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and channel_pairs(layer) >= HEAVY:
            _run_in_tf32(layer)


def _run_in_tf32(layer: nn.Module) -> None:
    forward, place = layer.forward, torch.backends.cudnn

    def run(x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            return forward(x)
        before = bool(place.allow_tf32)
        setattr(place, TF32, True)
        try:
            return forward(x)
        finally:
            setattr(place, TF32, before)

    layer.forward = run


def channel_pairs(layer: nn.Module) -> int:
    """Multiply the input channels of a layer's group by its output channels."""
    shape = cast(Tensor, layer.weight).shape
    return shape[0] * shape[1]


def _can_hold(layer: nn.Module, dtype: torch.dtype) -> bool:
    """Tell whether a layer's numbers are finite in a dtype, and its weights not rounded away."""
    if not all(number.to(dtype).isfinite().all() for number in layer.parameters()):
        return False
    weight = cast(Tensor, layer.weight).double()
    lost = weight.to(dtype).double() - weight
    return bool(lost.square().sum() <= MOST_LOST**2 * weight.square().sum())


def runs_in_16_bits(network: nn.Module) -> bool:
    """Tell whether any layer of a network runs in fewer bits than float32."""
    return any(number.dtype in (torch.float16, torch.bfloat16) for number in network.parameters())


def _to_dtype_of_weights(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (args[0].to(cast(Tensor, layer.weight).dtype), *args[1:])


def _to_dtype_of_second(block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Cast what enters a residual block to the type of what is added to it."""
    return (args[0].to(cast(ResBlock2d, block).conv2.weight.dtype), *args[1:])


def _cast_at_each_use(layer: nn.Module, dtype: torch.dtype) -> None:
    forward = layer.forward

    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, dtype):
            return forward(x)

    layer.forward = run


class _ExactFloat32:
    """Time without TensorFloat-32, from the first who enters to the last who leaves, in whatever threads."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, [False, False]
        self._places = (torch.backends.cuda.matmul, torch.backends.cudnn)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [bool(place.allow_tf32) for place in self._places]
                self._set([False, False])

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, values: Sequence[bool]) -> None:
        for place, value in zip(self._places, values, strict=True):
            setattr(place, TF32, value)


_exact_float32 = _ExactFloat32()


@contextmanager
def inference_mode() -> Generator[None, None, None]:
    """Enter PyTorch's inference mode with exact float32: without TensorFloat-32 but where `allow_tf32` lets it in."""
    with _exact_float32, torch.inference_mode():
        yield
