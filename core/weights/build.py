"""Strict loading of a state dict, with one error that lists every fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, join_names
from .checkpoint import Checkpoint

Network = TypeVar("Network", bound=nn.Module)

STATISTICS: Final = ("running_mean", "running_var")  # the buffers that training fills


def build_strict(build: Callable[[], Network], checkpoint: Checkpoint, parts: Sequence[str]) -> Network:
    """Build a network and load the parts of it that a checkpoint has as components of the same names.

    It is built on the meta device first, so that a wrong configuration costs no memory.
    """
    with torch.device("meta"):
        _load_parts(build(), checkpoint, parts)
    return _load_parts(build(), checkpoint, parts)


def _load_parts(network: Network, checkpoint: Checkpoint, parts: Sequence[str]) -> Network:
    for name in parts:
        load_strict(network.get_submodule(name), checkpoint.components[name], f"{name} of {checkpoint.path.name}")
    return network


def load_strict(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy a state dict into a module, in the module's dtypes and on its devices.

    `what` names the weights in messages, such as "generator of vox-cpk.pth.tar". Every key must have its parameter and
    every parameter its key; only BatchNorm's batch counters and buffers that the module's constructor computes (blur
    kernels, position codes) may be absent, and keep their values.

    Raises CheckpointError, before anything is copied, listing missing, unexpected, mis-shaped and
    non-finite entries.
    """
    targets = _targets(module)
    missing = [key for key in targets if key not in state and not _computed(key, module)]
    extra = [key for key in state if key not in targets]
    shared = [key for key in state if key in targets]
    shapes = [
        f"{key}: {_form(state[key])} instead of {_form(targets[key])}"
        for key in shared
        if _form(state[key]) != _form(targets[key])
    ]
    faults = [("missing", missing), ("unexpected", extra), ("of another shape", shapes)]
    if not any(keys for _, keys in faults):
        faults = [("with values that are not finite", [k for k in shared if not _finite(state[k], targets[k])])]
    _complain(faults, what)
    with torch.no_grad():
        for key in shared:
            targets[key].copy_(state[key])


def _targets(module: nn.Module) -> dict[str, Tensor]:
    """List every parameter and buffer by name, under each of its names if it has several."""
    named = dict[str, Tensor](module.named_parameters(remove_duplicate=False))
    return {**named, **dict(module.named_buffers(remove_duplicate=False))}


def _computed(key: str, module: nn.Module) -> bool:
    """Tell whether an absent entry may keep the value its constructor gave it."""
    owner, _, leaf = key.rpartition(".")
    return leaf not in STATISTICS and leaf in dict(module.get_submodule(owner).named_buffers(recurse=False))


def _form(tensor: Tensor) -> str:
    """Write a shape for comparing and for messages, with the kind of number where it is not floating point."""
    shape = str(tuple(tensor.shape))
    return shape if tensor.is_floating_point() else f"{shape} {str(tensor.dtype).removeprefix('torch.')}"


def _finite(tensor: Tensor, target: Tensor) -> bool:
    """Tell whether all values are finite once they have the target's dtype."""
    return bool(torch.isfinite(tensor.to(target.dtype)).all())


def _complain(faults: list[tuple[str, list[str]]], what: str) -> None:
    found = [f"{len(keys)} {kind} ({join_names(keys, 3)})" for kind, keys in faults if keys]
    if found:
        raise CheckpointError(f"{what}: {'; '.join(found)}. Every entry must match; use a file of this architecture.")
