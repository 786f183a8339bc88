"""Reading of weight files: from safetensors or a torch file to state dicts by component."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError, join_names
from .torch_file import container_of, read_torch_file

logger = logging.getLogger(__name__)

State = Mapping[str, Tensor]
Value = TypeVar("Value")

_known_components: set[str] = set()


def register_components(names: Iterable[str]) -> None:
    """Register the networks that an architecture's files keep under a key of their own.

    Other entries (optimizers, discriminators, counters) are not needed to animate and are left out.
    """
    _known_components.update(names)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State dicts of a weight file by component, on the CPU and in the dtypes they are stored in.

    A file that is one plain state dict has the single component "". `metadata` is what a safetensors
    file says about itself.
    """

    path: Path
    components: Mapping[str, State]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class _SafeFile(Protocol):
    """Part that is used of an open safetensors file (the library ships no types for it)."""

    def metadata(self) -> dict[str, str] | None: ...
    def keys(self) -> Iterable[str]: ...
    def get_tensor(self, name: str) -> Tensor: ...


def read_checkpoint(path: Path) -> Checkpoint:
    """Read safetensors, or a torch file by the restricted unpickler. Nothing in a file is ever executed.

    Raises MissingWeightsError if there is no such file, CheckpointError if it is damaged, asks for more
    than tensors, or holds no network.
    """
    container = container_of(path)
    if container == "safetensors":
        return _read_safetensors(path)
    components = components_of(read_torch_file(path, container), path)
    logger.debug("read %s: %s", path, ", ".join(components) or "one network")
    return Checkpoint(path, components)


def _read_safetensors(path: Path) -> Checkpoint:
    """Copy the tensors out of the mapped file, which may then be replaced or deleted."""
    try:
        opened = cast(AbstractContextManager[_SafeFile], safe_open(str(path), framework="pt", device="cpu"))
        with opened as file:
            state = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (not a mapping)
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, RuntimeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is a damaged safetensors file ({error}); a whole weight file is needed. Download it again."
        ) from error
    if not state:
        raise CheckpointError(f"{path} holds no tensors; a checkpoint of this pack's models is needed.")
    return Checkpoint(path, split_components(state), metadata)


def components_of(content: object, path: Path) -> dict[str, dict[str, Tensor]]:
    """Sort the dict that a torch file holds into state dicts by component.

    A dict of state dicts gives one entry each; a flat state dict is split by its keys' first parts if all
    of them are components, else it becomes the one component "". Empty components are left out.

    Raises CheckpointError if there are no tensors, or if some are not plain tensors.
    """
    entries = _entries(content, path)
    wrapped = entries.get("state_dict")
    if isinstance(wrapped, Mapping):
        entries = _entries(cast(object, wrapped), path)
    nested = {
        name: _state(_entries(cast(object, value), path), f"{name} of {path}")
        for name, value in entries.items()
        if name in _known_components and isinstance(value, Mapping)
    }
    nested = {name: state for name, state in nested.items() if state}
    if nested:
        return nested
    flat = {key: value for key, value in entries.items() if isinstance(value, Tensor)}
    if flat:
        return split_components(_state(flat, str(path)))
    raise CheckpointError(
        f"{path} holds no network (its entries: {join_names(entries)}); a checkpoint of this pack's models is needed."
    )


def split_components(state: State) -> dict[str, dict[str, Tensor]]:
    """Undo the component prefixes of safetensors keys such as `generator.first.conv.weight`.

    If any key starts otherwise, it is one flat network, named "".
    """
    if not all(key.partition(".")[0] in _known_components and "." in key for key in state):
        return {"": dict(state)}
    components: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        component, _, rest = key.partition(".")
        components.setdefault(component, {})[rest] = tensor
    return {name: _bare_keys(entries, name) for name, entries in components.items()}


def _entries(content: object, path: Path) -> dict[str, object]:
    """List a dict's entries by bare name."""
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}; a dict of state dicts is needed. Save model.state_dict()."
        )
    entries = cast(Mapping[object, object], content)
    return _bare_keys({str(key): value for key, value in entries.items()}, str(path))


def _bare_keys(entries: Mapping[str, Value], what: str) -> dict[str, Value]:
    """Strip the `module.` that DataParallel puts before each key."""
    bare: dict[str, Value] = {}
    for key, value in entries.items():
        name = key
        while name.startswith("module."):
            name = name.removeprefix("module.")
        if name in bare:
            raise CheckpointError(
                f"{what} holds {join_names([name])} twice, with and without `module.`; save the network anew."
            )
        bare[name] = value
    return bare


def _state(entries: Mapping[str, object], what: str) -> dict[str, Tensor]:
    """Check that all entries are plain tensors, and detach them from any graph."""
    state: dict[str, Tensor] = {}
    for key, value in entries.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{what}: {join_names([key])} is a {type(value).__name__}; a tensor is needed. Use another file."
            )
        if not _is_plain(value):
            raise CheckpointError(
                f"{what}: {join_names([key])} is a sparse, quantised, data-less or oversized tensor; "
                "a plain one is needed. Use another file."
            )
        state[key] = value.detach()
    return state


def _is_plain(tensor: Tensor) -> bool:
    """Tell whether a tensor is an ordinary array in memory, no larger than the memory behind it."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
