"""Conversion of any checkpoint this pack reads to safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] (its PathLike has no parameter)
from torch import Tensor

from ..atomic_file import atomic_write
from ..errors import CheckpointError, reason_in
from ..unfinished import make_folder
from .checkpoint import Checkpoint


def to_safetensors(
    checkpoint: Checkpoint,
    path: Path,
    dtype: torch.dtype | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint's components to one safetensors file with keys such as `generator.first.conv.weight`.

    `dtype` converts floating-point tensors, except those whose values it cannot hold; `metadata` replaces
    the checkpoint's own. The file appears under its name only when it is complete. Reading it back gives
    the same components. Raises CheckpointError if it cannot be written.
    """
    tensors = _flat(checkpoint, dtype)
    try:
        make_folder(path.parent)
        with atomic_write(path) as part:
            save_file(tensors, str(part), metadata=dict(checkpoint.metadata if metadata is None else metadata))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be written ({reason_in(error)}); check the folder and its free space."
        ) from error


def _flat(checkpoint: Checkpoint, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Gather all tensors under prefixed keys, each with memory of its own, as the format requires."""
    flat: dict[str, Tensor] = {}
    seen: set[int] = set()
    for component, state in checkpoint.components.items():
        for key, tensor in state.items():
            own = _converted(tensor, dtype).contiguous()
            storage = own.untyped_storage()
            if storage.data_ptr() in seen or storage.nbytes() != own.numel() * own.element_size():
                own = own.clone()
            seen.add(own.untyped_storage().data_ptr())
            flat[f"{component}.{key}" if component else key] = own
    return flat


def _converted(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Convert a tensor to another floating-point dtype, or leave it as it is where values would overflow."""
    if dtype is None or not tensor.is_floating_point():
        return tensor
    converted = tensor.to(dtype)
    return converted if torch.equal(torch.isfinite(converted), torch.isfinite(tensor)) else tensor
