"""The one function that reads weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError
from .components import components_of, split_components
from .container import container_of
from .torch_file import read_torch_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A weight file's state dicts by component, on the CPU and in the dtypes they are stored in.

    A file that is one plain state dict has the single component "". `metadata` is what a safetensors
    file says about itself.
    """

    path: Path
    components: Mapping[str, Mapping[str, Tensor]]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class _SafeFile(Protocol):
    """What is used of an open safetensors file (the library ships no types for it)."""

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
    """Tensors are copied out of the mapped file, which may then be replaced or deleted."""
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
