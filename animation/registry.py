"""The architectures there are, and which of them a checkpoint is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.types import Animator, LoadOptions
from ..loading.description import to_metadata
from ..loading.reader import Checkpoint, read_checkpoint
from ..loading.signatures import expect, identify
from ..module_articulate import checkpoint as articulate
from ..module_fomm import checkpoint as fomm
from ..module_mrfa import checkpoint as mrfa
from ..module_partswap import checkpoint as partswap
from ..module_spline import checkpoint as spline


def _whole(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint


@dataclass(frozen=True, slots=True)
class Architecture:
    """`identity` is the id that `loading.signatures` knows it by; `load` builds it from a checkpoint, of which
    `trim` leaves out what no animation needs.
    """

    identity: str
    load: Callable[[Checkpoint, LoadOptions], Animator]
    trim: Callable[[Checkpoint], Checkpoint] = _whole


ARCHITECTURES = {
    row.identity: row
    for row in (
        Architecture("fomm", fomm.load),
        Architecture("articulate", articulate.load),
        Architecture("spline", spline.load),
        Architecture("partswap", partswap.load),
        Architecture("mrfa", mrfa.load, mrfa.inference_only),
    )
}


def load_animator(path: Path, identity: str, options: LoadOptions | None = None) -> Animator:
    """Read a weight file as the architecture `identity`; raises CheckpointError if it is another's."""
    checkpoint = read_checkpoint(path)
    expect(checkpoint, identity)
    return ARCHITECTURES[identity].load(checkpoint, options or LoadOptions())


def described(checkpoint: Checkpoint) -> tuple[Checkpoint, dict[str, str] | None]:
    """What a converted file holds, and what it has to say of its network beyond its tensors; None for what is no
    animator.
    """
    identity = identify(checkpoint)
    if identity not in ARCHITECTURES:
        return checkpoint, None
    row = ARCHITECTURES[identity]
    animator = row.load(checkpoint, LoadOptions())
    return row.trim(checkpoint), to_metadata(identity, animator.config, animator.spec.size)
