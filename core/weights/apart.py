"""Parts of a model that are published in a file of their own, for several models to share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .catalog import published_for
from .checkpoint import Checkpoint, read_checkpoint
from .paths import find_file, find_or_raise
from .signatures import expect

Stamps = tuple[tuple[Path, int], ...]


def stamps(path: Path, apart: Mapping[str, str], folders: Sequence[Path]) -> Stamps:
    """The files that `complete` would take, those that are there, with the times of their last changes."""
    places = [path.parent, *folders]
    parts = [find_file(row.files, places) for identity in apart.values() for row in published_for(identity)]
    return tuple((file, file.stat().st_mtime_ns) for file in (path, *parts) if file is not None)


def complete(checkpoint: Checkpoint, apart: Mapping[str, str], folders: Sequence[Path]) -> Checkpoint:
    """The checkpoint with the components that are published apart, each by the id of what such a file holds.

    Their files are looked for beside the checkpoint's own, then in the folders. A component that the
    checkpoint has itself (one that we converted) is kept. Raises MissingWeightsError, which says where to get
    the file and where to put it, CheckpointError for a wrong one.
    """
    found = dict(checkpoint.components)
    for component, identity in apart.items():
        if component not in found:
            [entry] = published_for(identity)
            part = read_checkpoint(find_or_raise(entry, [checkpoint.path.parent, *folders]))
            expect(part, identity)
            found[component] = part.components[""]
    return Checkpoint(checkpoint.path, found, checkpoint.metadata)
