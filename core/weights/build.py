"""Strict loading of a state dict, with one error that lists every fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, join_names, quote
from .checkpoint import Checkpoint

Network = TypeVar("Network", bound=nn.Module)

STATISTICS: Final = ("running_mean", "running_var")  # the buffers that training fills
COUNTER: Final = "num_batches_tracked"  # of BatchNorm's training; no animation reads it
LARGEST_COMPUTED: Final = 2**28  # bytes of buffers that a file need not hold
MESSAGE: Final = 110  # characters of all names in a message


def build_strict(build: Callable[[], Network], checkpoint: Checkpoint, parts: Sequence[str]) -> Network:
    """Build a network and load the parts of it that a checkpoint has as components of the same names.

    It is built on the meta device first, so that a wrong configuration costs no memory.
    """
    try:
        with torch.device("meta"):
            sketch = build()
    except (RuntimeError, ValueError, ArithmeticError) as error:  # as PyTorch's layers refuse sizes
        raise CheckpointError(
            f"{checkpoint.path} describes a network that cannot be built ({quote(str(error))}). "
            "Use the file as it was published."
        ) from error
    _refuse_large_buffers(_load_parts(sketch, checkpoint, parts), checkpoint)
    return _load_parts(build(), checkpoint, parts)


def _load_parts(network: Network, checkpoint: Checkpoint, parts: Sequence[str]) -> Network:
    for name in parts:
        load_strict(network.get_submodule(name), checkpoint.components[name], f"{name} of {checkpoint.path.name}")
    return network


def _refuse_large_buffers(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Refuse a network whose computed buffers, which the file need not hold, would fill the memory."""
    computed = sum(buffer.nbytes for buffer in network.buffers())
    held = sum(tensor.nbytes for state in checkpoint.components.values() for tensor in state.values())
    if computed > LARGEST_COMPUTED + held:
        raise CheckpointError(
            f"{checkpoint.path} describes a network with {computed} bytes of tables, more than fits its weights. "
            "Use the file as it was published."
        )


def load_strict(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy a state dict into a module, in the module's dtypes and on its devices.

    `what` names the weights in messages, such as "generator of vox-cpk.pth.tar". Every key must have its parameter and
    every parameter its key; only BatchNorm's batch counters and buffers that the module's constructor computes (blur
    kernels, position codes) may be absent, and keep their values. Counters, which nothing reads, may be of any kind.

    Raises CheckpointError, before anything is copied, listing missing, unexpected, mis-shaped, non-finite and
    impossible entries.
    """
    targets = _targets(module)
    missing = [key for key in targets if key not in state and not _computed(key, module)]
    extra = [key for key in state if key not in targets]
    shared = [key for key in state if key in targets and not _useless(key, state[key], targets[key])]
    shapes = [
        f"{key}: {_form(state[key])} instead of {_form(targets[key])}"
        for key in shared
        if _form(state[key]) != _form(targets[key])
    ]
    faults = [("missing", missing), ("unexpected", extra), ("of another shape", shapes)]
    _complain(faults, what, "Every entry must match; use a file of this architecture.")
    faults = [("with values that are not finite", [key for key in shared if not _finite(state[key], targets[key])])]
    faults.append(("with negative variances", [key for key in shared if _negative(key, state[key])]))
    _complain(faults, what, "They are damaged; use the file as it was published.")
    with torch.no_grad():
        for key in shared:
            targets[key].copy_(state[key])


def _useless(key: str, tensor: Tensor, target: Tensor) -> bool:
    """Tell whether an entry is a batch counter of another kind than the module's."""
    return key.rpartition(".")[2] == COUNTER and _form(tensor) != _form(target)


def _negative(key: str, tensor: Tensor) -> bool:
    """Tell whether an entry is the variance of a norm, and some of it below 0: its root would be NaN."""
    return key.rpartition(".")[2] == "running_var" and bool((tensor.float() < 0).any())


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


def _complain(faults: list[tuple[str, list[str]]], what: str, advice: str) -> None:
    faults = [(kind, keys) for kind, keys in faults if keys]
    found = [f"{len(keys)} {kind} ({join_names(keys, 3, MESSAGE // len(faults))})" for kind, keys in faults]
    if found:
        raise CheckpointError(f"{what}: {'; '.join(found)}. {advice}")
