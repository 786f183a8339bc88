"""Face parsing: its published file, the keys that identify it, and how it becomes a parser."""

from __future__ import annotations

from dataclasses import replace

from ..core.errors import CheckpointError
from ..core.weights.architecture import WeightsKind, all_of, has_keys, lacks_keys
from ..core.weights.build import build_strict
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import UNREADABLE, reason_of
from .config import FaceParsingConfig, from_states
from .parser import FaceParser


def load(checkpoint: Checkpoint) -> FaceParser:
    """Build the parser that a checkpoint holds and load it strictly; raises CheckpointError.

    The ResNet-18 that the published code loads first is not needed: this file's own values replace all of it.
    """
    config = _config(checkpoint)
    parts = replace(checkpoint, components={"network": checkpoint.components[""]})
    return build_strict(lambda: FaceParser(config), parts, ("network",))


def _config(checkpoint: Checkpoint) -> FaceParsingConfig:
    try:
        return from_states(checkpoint.components)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{checkpoint.path} does not describe a face parser: {reason_of(error)}. Use the file as it was published."
        ) from error


FACE_PARSING = WeightsKind(
    id="face_parsing",
    name="BiSeNet face parsing",
    matches=has_keys("", "cp.resnet.", "ffm.", "conv_out."),
    published=(
        PublishedWeights(
            name="79999_iter",
            files=("79999_iter.pth", "79999_iter.safetensors"),
            sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
            size=53289463,
            url="https://huggingface.co/vivym/face-parsing-bisenet/resolve/main/79999_iter.pth",
            stated_at="https://huggingface.co/vivym/face-parsing-bisenet/blob/main/79999_iter.pth",
            page="https://huggingface.co/vivym/face-parsing-bisenet",
            paper="Yu et al.: BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation, ECCV 2018",
            earlier="face_parsing",
        ),
    ),
    advice="this one is for parsing faces and for Part Swap's face parser",
)

RESNET18 = WeightsKind(
    id="resnet18",
    name="a plain ResNet-18",
    matches=all_of(has_keys("", "conv1.weight", "layer1.0.", "layer4.1.", "fc."), lacks_keys("", "layer1.2.")),
    advice="nothing here needs this one: the face parser (79999_iter.pth) contains all of it",
)
