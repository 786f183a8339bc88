"""Loading of restoration and upscale models from files: read by this pack's safe reader, built by spandrel."""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..core.errors import CheckpointError, FirstOrderError, InputError
from ..core.installation import install_hint
from ..core.weights.checkpoint import read_checkpoint, read_content
from . import registry
from .enhance import Descriptor
from .faces.finders.installed import DAMAGE, LONGEST_REASON
from .out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    from spandrel import ArchRegistry

log = logging.getLogger(__name__)

EXTRA = install_hint("enhance")


def load_upscale_model(path: str | Path) -> Descriptor:
    """Load a model that spandrel knows, on the CPU; CodeFormer wants the package spandrel-extra-arches as well.

    Nothing in the file is executed. Raises InputError where spandrel is not installed, MissingWeightsError, or
    CheckpointError for a file that is damaged, unsafe, or no such model.
    """
    path, known = Path(path), _architectures()
    from spandrel import UnsupportedModelError, canonicalize_state_dict

    found = canonicalize_state_dict(read_content(path))
    state = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    try:
        descriptor = known.load(state)
    except UnsupportedModelError as error:
        raise CheckpointError(_describe_unknown(path)) from error
    except DAMAGE as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error).strip().splitlines() or [""])[0][:LONGEST_REASON]
        raise CheckpointError(
            f"{path} looks like a model that spandrel knows, but does not fit it ({type(error).__name__}: {reason}); "
            "the published weights were wanted. Download them again."
        ) from error
    log.info("%s from %s.", descriptor.architecture.id, path.name)
    return descriptor


def _architectures() -> ArchRegistry:
    """List what spandrel knows, with those of its extra package where that is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts of PyTorch that the packages will have to replace
        try:
            from spandrel import MAIN_REGISTRY
        except ImportError as error:
            text = f"needs the package spandrel, which cannot be imported here ({error}): {EXTRA}"
            raise InputError(text, "enhance") from error
        known = MAIN_REGISTRY.copy()
        with suppress(ImportError):
            from spandrel_extra_arches import EXTRA_REGISTRY

            known.add(*EXTRA_REGISTRY, ignore_duplicates=True)
    return known


def _describe_unknown(path: Path) -> str:
    """Say what a file is that spandrel does not know."""
    wanted = "a model that restores faces or enlarges pictures was wanted. Choose another file"
    kind = None
    with suppress(FirstOrderError):
        checkpoint = read_checkpoint(path)
        kind = registry.identify(checkpoint)
    if kind is not None:
        return f"{path} holds {kind.name} weights; {wanted}."
    return (
        f"{path} is no model that spandrel knows here; {wanted}, "
        "or for CodeFormer: pip install --no-deps spandrel-extra-arches."
    )
