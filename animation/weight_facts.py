"""Facts about a weight file, by name: what it holds, how large and how wide its networks are, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CheckpointError, InputError, MissingWeightsError
from ..core.weights.architecture import Architecture, WeightsKind
from ..core.weights.checkpoint import Checkpoint, State, read_checkpoint
from ..core.weights.find import WeightFiles
from ..core.weights.paths import sha256_of
from . import registry
from .model_folders import default_folders

Facts = Mapping[str, object]
DESCRIBED = frozenset({"architecture", "config", "size"})  # metadata that are told in other words


def weight_facts(path: Path) -> Facts:
    """Describe a weight file. Raises MissingWeightsError or CheckpointError for what is none."""
    checkpoint = read_checkpoint(path)
    kind = registry.identify(checkpoint)
    holds = f"{kind.name} weights" if kind else f"weights {registry.describe_unknown(checkpoint)}"
    digest = sha256_of(path)
    facts: dict[str, object] = {
        "kind": "weights",
        "holds": holds,
        "architecture": kind.id if kind else None,
        "published as": _published_as(path, digest),
    }
    if isinstance(kind, Architecture):
        facts |= _model_facts(checkpoint, kind)
    facts |= {f"part {name or 'network'}": _part(state) for name, state in checkpoint.components.items()}
    facts |= {f"says {name}": text for name, text in checkpoint.metadata.items() if name not in DESCRIBED}
    return {**facts, "bytes": path.stat().st_size, "SHA-256": digest}


def _published_as(path: Path, digest: str) -> str:
    """Say which published file it is by its bytes, else which has its name."""
    rows = [(kind, row) for kind in registry.KINDS.values() for row in kind.published]
    for kind, row in rows:
        if row.sha256 == digest:
            return f"{row.name} ({kind.id}), by its SHA-256"
    for kind, row in rows:
        if path.name in row.files:
            known = "whose SHA-256 is another" if row.sha256 else "whose SHA-256 is not known"
            return f"nothing known; it has the name of {row.name} ({kind.id}), {known}"
    return "nothing known"


def _model_facts(checkpoint: Checkpoint, kind: WeightsKind) -> Facts:
    """Describe the model that a file becomes, with the files beside it that it needs."""
    files = WeightFiles.of(kind, checkpoint.path, default_folders(kind.id))
    try:
        animator = registry.load_files(files, checkpoint=checkpoint)
    except (MissingWeightsError, CheckpointError, InputError) as error:
        return {"cannot be loaded": str(error)}
    spec = animator.spec
    return {
        "size": f"{spec.size} pixels",
        "modes": ", ".join(spec.modes),
        "weights": sum(parameter.numel() for parameter in animator.parameters()),
        **{f"network {name}": value for name, value in _settings(animator.config)},
    }


def _settings(config: Any, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the settings of a configuration, those of its parts behind their names."""
    for field in fields(config) if is_dataclass(config) else ():
        value = getattr(config, field.name)
        if is_dataclass(value):
            yield from _settings(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _part(state: State) -> str:
    """Say how many tensors and numbers a component has, and of which types."""
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values()})
    return f"{len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} numbers, {', '.join(kinds)}"
