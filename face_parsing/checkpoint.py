"""From a weight file to a face parser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..core.errors import CheckpointError
from ..core.weights.build import build_strict
from ..core.weights.checkpoint import Checkpoint, read_checkpoint
from ..core.weights.config import UNREADABLE
from ..core.weights.signatures import expect
from .config import FaceParsingConfig, from_states
from .parser import FaceParser


def load_parser(path: Path) -> FaceParser:
    """Read a weight file strictly; raises CheckpointError if it is another's.

    The ResNet-18 that the published code wants beside it is not needed: this file's own values replace all of it.
    """
    checkpoint = read_checkpoint(path)
    expect(checkpoint, "face_parsing")
    config = _config(checkpoint)
    parts = replace(checkpoint, components={"network": checkpoint.components[""]})
    return build_strict(lambda: FaceParser(config), parts, ("network",))


def _config(checkpoint: Checkpoint) -> FaceParsingConfig:
    try:
        return from_states(checkpoint.components)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{checkpoint.path} does not describe a face parser: it lacks {error}. Use the file as it was published."
        ) from error
