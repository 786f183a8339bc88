"""The architectures there are, and which of them a checkpoint is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.types import Animator, LoadOptions
from ..core.weights.apart import Stamps, complete, stamps
from ..core.weights.checkpoint import Checkpoint, read_checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.signatures import expect, identify
from ..module_articulate import checkpoint as articulate
from ..module_fomm import checkpoint as fomm
from ..module_fsrt import checkpoint as fsrt
from ..module_mrfa import checkpoint as mrfa
from ..module_partswap import checkpoint as partswap
from ..module_spline import checkpoint as spline


def _whole(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint


@dataclass(frozen=True, slots=True)
class Architecture:
    """`identity` is the id that `loading.signatures` knows it by; `load` builds it from a checkpoint, of which
    `trim` leaves out what no animation needs.

    `apart` are the components published in files of their own, each with the id of such a file.
    """

    identity: str
    load: Callable[[Checkpoint, LoadOptions], Animator]
    trim: Callable[[Checkpoint], Checkpoint] = _whole
    apart: Mapping[str, str] = field(default_factory=dict[str, str])


ARCHITECTURES = {
    row.identity: row
    for row in (
        Architecture("fomm", fomm.load),
        Architecture("articulate", articulate.load),
        Architecture("spline", spline.load),
        Architecture("partswap", partswap.load),
        Architecture("mrfa", mrfa.load, mrfa.inference_only),
        Architecture("fsrt", fsrt.load, apart=fsrt.APART),
    )
}


def load_animator(
    path: Path, identity: str, options: LoadOptions | None = None, folders: Sequence[Path] = ()
) -> Animator:
    """Read a weight file as the architecture `identity`; raises CheckpointError if it is another's.

    What the architecture publishes apart is looked for beside the file, then in the folders.
    """
    checkpoint = read_checkpoint(path)
    expect(checkpoint, identity)
    row = ARCHITECTURES[identity]
    return row.load(complete(checkpoint, row.apart, folders), options or LoadOptions())


def versions(path: Path, identity: str, folders: Sequence[Path] = ()) -> Stamps:
    """The files that a model is read from, be it no animator, with the times of their last changes."""
    row = ARCHITECTURES.get(identity)
    return stamps(path, {} if row is None else row.apart, folders)


def read_whole(path: Path) -> Checkpoint:
    """A weight file of any architecture, or of none, with what that publishes apart, from the same folder."""
    checkpoint = read_checkpoint(path)
    row = ARCHITECTURES.get(identify(checkpoint) or "")
    return checkpoint if row is None else complete(checkpoint, row.apart, ())


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
