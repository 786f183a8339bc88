"""Reading of weight files: from safetensors or a torch file to state dicts by component."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, cast

from torch import Tensor

from ..errors import CheckpointError, join_names, quote
from .container import Container, container_of
from .other_models import name_other_model
from .safetensors_file import scan_safetensors
from .source import Source, open_source
from .stored_tensor import Opaque, StoredTensor, TensorReader, check_claims
from .torch_file import scan_torch_file

logger = logging.getLogger(__name__)

State = Mapping[str, Tensor]
Value = TypeVar("Value")
Stored = dict[str, dict[str, StoredTensor]]

PUBLISHED_COMPONENTS: Final = frozenset(
    {
        *("generator", "kp_detector", "region_predictor", "bg_predictor", "avd_network", "model"),
        *("dense_motion_network", "inpainting_network", "segmentation_module", "reconstruction_module"),
        *("expression_encoder", "encoder", "decoder"),
    }
)
"""Networks that published files keep under a key of their own.

They are known here, so that a file reads alike whichever architectures were imported before. Other entries (optimizers,
discriminators, counters) are not needed to animate: they are left out, and not even read.
"""

_known_components: set[str] = {*PUBLISHED_COMPONENTS}


def register_components(names: Iterable[str]) -> None:
    """Register further networks that an architecture's files keep under a key of their own."""
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


def read_checkpoint(path: Path) -> Checkpoint:
    """Read safetensors or a torch file, in time and memory that its size bounds. Nothing in a file is ever executed.

    Raises MissingWeightsError if there is no such file, CheckpointError if it is damaged, asks for more
    than tensors, or holds no network.
    """
    container = container_of(path)
    with open_source(path) as source:
        stored, metadata = _scan(source, container, path)
        check_claims(tensor for state in stored.values() for tensor in state.values())
        reader = TensorReader(source)
        components = {
            name: {key: reader.tensor(tensor) for key, tensor in state.items()} for name, state in stored.items()
        }
    logger.debug("read %s: %s", path, ", ".join(components) or "one network")
    return Checkpoint(path, components, metadata)


def read_content(path: Path) -> dict[str, object]:
    """Read everything that a file of any model holds, as safely as `read_checkpoint`: tensors, dicts, numbers, texts.

    Raises MissingWeightsError if there is no such file, CheckpointError if it is damaged, asks for more, or holds no
    dict.
    """
    container = container_of(path)
    with open_source(path) as source:
        content = scan_safetensors(source)[0] if container == "safetensors" else scan_torch_file(source, container)
        reader = TensorReader(source)
        tree = reader.tree(content)
        check_claims(reader.given)  # before anyone copies them
    return _entries(tree, path)


def _scan(source: Source, container: Container, path: Path) -> tuple[Stored, dict[str, str]]:
    """Find the tensors of each component, and a file's metadata."""
    if container != "safetensors":
        return components_of(scan_torch_file(source, container), path), {}
    tensors, metadata = scan_safetensors(source)
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors; a checkpoint of this pack's models is needed.")
    return split_components(_state(tensors, str(path))), metadata


def components_of(content: object, path: Path) -> Stored:
    """Sort the dict that a torch file holds into state dicts by component.

    A dict of state dicts gives one entry each; a flat state dict is split by its keys' first parts if all
    of them are components, else it becomes the one component "". Empty components are left out.

    Raises CheckpointError if there are no tensors, or if some are not plain tensors.
    """
    entries = _entries(content, path)
    wrapped = entries.get("state_dict")
    if isinstance(wrapped, dict):
        entries = _entries(cast(object, wrapped), path)
    nested = {
        name: _state(_entries(cast(object, value), path), f"{name} of {path}")
        for name, value in entries.items()
        if name in _known_components and isinstance(value, dict)
    }
    nested = {name: state for name, state in nested.items() if state}
    if nested:
        return nested
    flat = {key: value for key, value in entries.items() if _is_tensor(value)}
    if flat:
        return split_components(_state(flat, str(path)))
    other = name_other_model(_nested_keys(entries))
    what = "no network" if other is None else f"no network of this pack but {other}"
    raise CheckpointError(
        f"{path} holds {what} (its entries: {join_names(entries)}); a checkpoint of this pack's models is needed."
    )


def _nested_keys(entries: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of all entries, and of the entries of dicts among them."""
    for name, value in entries.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{key}" for key in cast(dict[object, object], value))


def split_components(state: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Undo the component prefixes of safetensors keys such as `generator.first.conv.weight`.

    If any key starts otherwise, it is one flat network, named "".
    """
    if not all(key.partition(".")[0] in _known_components and "." in key for key in state):
        return {"": dict(state)}
    components: dict[str, dict[str, Value]] = {}
    for key, tensor in state.items():
        component, _, rest = key.partition(".")
        components.setdefault(component, {})[rest] = tensor
    return {name: _bare_keys(entries, name) for name, entries in components.items()}


def _entries(content: object, path: Path) -> dict[str, object]:
    """List a dict's entries by bare name."""
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {_kind_of(content)}; a dict of state dicts is needed. Save model.state_dict()."
        )
    entries = cast(dict[object, object], content)
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
                f"{what} holds {quote(name)} twice, with and without `module.`; save the network anew."
            )
        bare[name] = value
    return bare


def _state(entries: Mapping[str, object], what: str) -> dict[str, StoredTensor]:
    """Check that all entries are plain tensors."""
    state: dict[str, StoredTensor] = {}
    for key, value in entries.items():
        if not _is_tensor(value):
            raise CheckpointError(f"{what}: {quote(key)} is a {_kind_of(value)}; a tensor is needed. Use another file.")
        if not isinstance(value, StoredTensor) or value.dtype.is_complex or value.oversized:
            raise CheckpointError(
                f"{what}: {quote(key)} is a sparse, quantised, data-less, complex or oversized tensor; "
                "a plain one is needed. Use another file."
            )
        state[key] = value
    return state


def _is_tensor(value: object) -> bool:
    return isinstance(value, StoredTensor) or (isinstance(value, Opaque) and value.kind.endswith("tensor"))


def _kind_of(value: object) -> str:
    """Name the kind of a value for a message."""
    if isinstance(value, StoredTensor):
        return "Tensor"
    return value.kind if isinstance(value, Opaque) else type(value).__name__
