"""Networks on a device that is not there: shapes, types and places are followed, nothing is computed.

PyTorch's fake tensors refuse what a real device would: operands on different devices, of types that do not go together,
and every read of a value on the host.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.inference import precision
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.types import Animator
from support.architectures import tiny
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda")
FRAMES = 3


@contextmanager
def no_device() -> Iterator[None]:
    """Follow tensors without values; cuDNN's grid sampler, which PyTorch cannot follow, is switched off."""
    with FakeTensorMode(), torch.backends.cudnn.flags(enabled=False), torch.inference_mode():
        yield


def on_fake_cuda(network: nn.Module) -> None:
    """Exchange all numbers of a network for fake ones on a GPU; in `no_device`."""
    for module in network.modules():
        for name, value in module.named_parameters(recurse=False):
            module.register_parameter(name, nn.Parameter(_empty_like(value), requires_grad=False))
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, _empty_like(value))


def _empty_like(value: Tensor) -> Tensor:
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=CUDA)


def lowered(name: str, dtype: torch.dtype, fast: bool) -> Animator:
    """A tiny model optimised for a GPU, every layer that may be in `dtype`, however narrow."""
    model = copy.deepcopy(tiny(name))
    with mock.patch.object(precision, "HEAVY", 0):
        spec = model.spec
        return optimize(model, CUDA, dtype, fast=fast, keep_in_fp32=spec.keep_in_fp32, keep_in_tf32=spec.keep_in_tf32)


def walk(model: Animator, source: Tensor, driving: Tensor) -> list[Tensor]:
    """The pictures of every way through a model: each mode, the maps behind, and a source that moves."""
    prepared, poses, first = model.prepare(source), model.motion(driving), model.motion(driving[:1])
    motions = [poses]
    if "relative" in model.spec.modes:
        motions.append(Retargeter(Retargeting(), prepared.motion, first, 1.25)(poses))
    if "avd" in model.spec.modes:
        motions.append(model.avd(prepared, poses))
    if model.spec.has_background:
        motions.append(model.move_background(prepared, poses))
    pictures = [model.render(prepared, motion) for motion in motions]
    pictures.append(model.render_mapped(prepared, poses).pictures)
    if not model.spec.several_sources:
        pictures.append(model.render(model.prepare(driving), poses))
    return pictures


@dataclass(frozen=True)
class Call:
    """Operator as it was reached: its name, its arguments, and the tensors among arguments and results."""

    name: str
    args: tuple[Any, ...]
    tensors: tuple[Tensor, ...] = field(repr=False)


class Recorder(TorchDispatchMode):
    """Record of every operator that is reached while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append(Call(func.overloadpacket.__name__, args, tuple(_tensors((args, kwargs, result)))))
        return result


class PeakMemory(TorchDispatchMode):
    """Most bytes of tensors that were alive at once on a device, of those that were made while it is entered.

    What operators take for themselves in the meantime is not seen.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.peak, self._device = 0, device
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        given = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if tensor.device.type == self._device.type and storage._cdata not in given | self._alive.keys():
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(nbytes for _, nbytes in self._alive.values()))
        return result


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


def frame_peak(model: Animator, count: int = 4) -> float:
    """Bytes that each frame of a batch takes while poses are read or pictures drawn, whichever is more; on a fake GPU.

    What is made of the source is there all the time, and not counted.
    """
    source, driving = (torch.empty(n, 3, model.spec.size, model.spec.size, device=CUDA) for n in (1, count))
    prepared = model.prepare(source)
    with PeakMemory(CUDA) as reading:
        poses = model.motion(driving)
    with PeakMemory(CUDA) as drawing:
        model.render(prepared, poses)
    return max(reading.peak, drawing.peak) / count
