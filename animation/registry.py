"""The architectures there are, and which of them a checkpoint is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.types import Animator, LoadOptions
from ..loading.reader import Checkpoint, read_checkpoint
from ..loading.signatures import expect
from ..module_fomm import checkpoint as fomm


@dataclass(frozen=True, slots=True)
class Architecture:
    """`identity` is the id that `loading.signatures` knows it by; `load` builds it from a checkpoint, and
    `describe` gives the metadata with which a converted file says what tensors cannot show.
    """

    identity: str
    load: Callable[[Checkpoint, LoadOptions], Animator]
    describe: Callable[[Checkpoint], dict[str, str]]


ARCHITECTURES = {row.identity: row for row in (Architecture("fomm", fomm.load, fomm.describe),)}


def load_animator(path: Path, identity: str, options: LoadOptions | None = None) -> Animator:
    """Read a weight file as the architecture `identity`; raises CheckpointError if it is another's."""
    checkpoint = read_checkpoint(path)
    expect(checkpoint, identity)
    return ARCHITECTURES[identity].load(checkpoint, options or LoadOptions())
