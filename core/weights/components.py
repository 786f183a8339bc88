"""From what a weight file holds to state dicts by component."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar, cast

import torch
from torch import Tensor

from ..errors import CheckpointError, listed

State = dict[str, Tensor]
Value = TypeVar("Value")

COMPONENTS: Final = frozenset(
    {
        "generator",
        "kp_detector",
        "reconstruction_module",
        "segmentation_module",
        "region_predictor",
        "bg_predictor",
        "avd_network",
        "dense_motion_network",
        "inpainting_network",
        "model",
        "encoder",
        "decoder",
        "expression_encoder",
    }
)
"""Networks the published files keep under a key of their own; other entries (optimizers, discriminators,
counters) are not needed to animate and are left out."""


def components_of(content: object, path: Path) -> dict[str, State]:
    """State dicts by component, from the dict a torch file holds.

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
        if name in COMPONENTS and isinstance(value, Mapping)
    }
    nested = {name: state for name, state in nested.items() if state}
    if nested:
        return nested
    flat = {key: value for key, value in entries.items() if isinstance(value, Tensor)}
    if flat:
        return split_components(_state(flat, str(path)))
    raise CheckpointError(
        f"{path} holds no network (its entries: {listed(entries)}); a checkpoint of this pack's models is needed."
    )


def split_components(state: Mapping[str, Tensor]) -> dict[str, State]:
    """Undo the component prefixes of safetensors keys such as `generator.first.conv.weight`.

    If any key starts otherwise, it is one flat network, named "".
    """
    if not all(key.partition(".")[0] in COMPONENTS and "." in key for key in state):
        return {"": dict(state)}
    components: dict[str, State] = {}
    for key, tensor in state.items():
        component, _, rest = key.partition(".")
        components.setdefault(component, {})[rest] = tensor
    return {name: _bare_keys(entries, name) for name, entries in components.items()}


def _entries(content: object, path: Path) -> dict[str, object]:
    """A dict's entries by bare name."""
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}; a dict of state dicts is needed. Save model.state_dict()."
        )
    entries = cast(Mapping[object, object], content)
    return _bare_keys({str(key): value for key, value in entries.items()}, str(path))


def _bare_keys(entries: Mapping[str, Value], what: str) -> dict[str, Value]:
    """The same entries without the `module.` that DataParallel puts before each key."""
    bare: dict[str, Value] = {}
    for key, value in entries.items():
        name = key
        while name.startswith("module."):
            name = name.removeprefix("module.")
        if name in bare:
            raise CheckpointError(
                f"{what} holds {listed([name])} twice, with and without `module.`; save the network anew."
            )
        bare[name] = value
    return bare


def _state(entries: Mapping[str, object], what: str) -> State:
    """Entries that must all be plain tensors, detached from any graph."""
    state: State = {}
    for key, value in entries.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{what}: {listed([key])} is a {type(value).__name__}; a tensor is needed. Use another file."
            )
        if not _is_plain(value):
            raise CheckpointError(
                f"{what}: {listed([key])} is a sparse, quantised, data-less or oversized tensor; "
                "a plain one is needed. Use another file."
            )
        state[key] = value.detach()
    return state


def _is_plain(tensor: Tensor) -> bool:
    """Whether the tensor is an ordinary array in memory, and no larger than the memory behind it."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
