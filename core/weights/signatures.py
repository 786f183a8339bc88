"""Which architecture a checkpoint is, told by its components and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import CheckpointError, listed
from .checkpoint import Checkpoint

Predicate = Callable[[Checkpoint], bool]


@dataclass(frozen=True, slots=True)
class Signature:
    """What betrays an architecture.

    `home` says where such a file belongs, `serves` the architectures that can use it beside its own.
    """

    id: str
    name: str
    home: str
    matches: Predicate
    serves: tuple[str, ...] = ()


def _has(component: str, *starts: str) -> Predicate:
    """The component is there, and for each start it has a key that begins so."""

    def matches(checkpoint: Checkpoint) -> bool:
        state = checkpoint.components.get(component, {})
        return bool(state) and all(any(key.startswith(start) for key in state) for start in starts)

    return matches


def _lacks(component: str, start: str) -> Predicate:
    has = _has(component, start)
    return lambda checkpoint: not has(checkpoint)


def _all(*predicates: Predicate) -> Predicate:
    return lambda checkpoint: all(matches(checkpoint) for matches in predicates)


def _any(*predicates: Predicate) -> Predicate:
    return lambda checkpoint: any(matches(checkpoint) for matches in predicates)


SIGNATURES: Final = (
    Signature(
        "fomm",
        "First Order Motion Model (FOMM)",
        "the FOMM Runner node",
        _all(
            _has("generator", "first.", "dense_motion_network.hourglass."),
            _has("kp_detector", "predictor.", "kp."),
            _lacks("kp_detector", "semantic_seg."),
        ),
        serves=("partswap",),
    ),
    Signature(
        "partswap",
        "Part Swap (Co-Part Segmentation)",
        "the FOMM Partswap node",
        _any(
            _all(_has("reconstruction_module", "first."), _has("segmentation_module", "segmentation.", "shift.")),
            _all(_has("generator", "first."), _has("kp_detector", "semantic_seg.", "kp.")),
        ),
    ),
    Signature(
        "articulate",
        "Articulated Animation",
        "the Articulate Runner node",
        _all(_has("generator", "pixelwise_flow_predictor."), _has("region_predictor", "regions.")),
    ),
    Signature(
        "spline",
        "Thin-Plate Spline Motion Model",
        "the Spline Runner node",
        _all(
            _has("inpainting_network", "first."),
            _has("dense_motion_network", "hourglass."),
            _has("kp_detector", "fg_encoder."),
        ),
    ),
    Signature(
        "mrfa",
        "MRFA",
        "the MRFA Runner node",
        _any(
            *(
                _has(component, "encoder.pre_feature.", "dense_motion.", "decoder.generator.")
                for component in ("model", "")
            )
        ),
    ),
    Signature(
        "fsrt",
        "FSRT",
        "the FSRT Runner node",
        _all(
            _has("encoder", "conv_blocks.", "transformer."),
            _has("decoder", "allocation_transformer.", "render_mlp."),
            _has("expression_encoder", "expression."),
        ),
    ),
    Signature(
        "fsrt_keypoints",
        "FSRT's keypoint detector",
        "the FSRT Runner node, beside the FSRT model itself",
        _all(_has("", "predictor.encoder.", "kp."), _lacks("", "jacobian."), _lacks("", "semantic_seg.")),
    ),
    Signature(
        "face_parsing",
        "BiSeNet face parsing",
        "the Face Parser node, and the face parser of the FOMM Partswap node",
        _has("", "cp.resnet.", "ffm.", "conv_out."),
    ),
    Signature(
        "resnet18",
        "a plain ResNet-18",
        "no node of this pack: the face parser (79999_iter.pth) contains all it needs",
        _all(_has("", "conv1.weight", "layer1.0.", "layer4.1.", "fc."), _lacks("", "layer1.2.")),
    ),
)


BY_ID: Final = {row.id: row for row in SIGNATURES}


def identify(checkpoint: Checkpoint) -> str | None:
    """The id of the architecture the checkpoint is, or None for one this pack does not know."""
    return next((row.id for row in SIGNATURES if row.matches(checkpoint)), None)


def expect(checkpoint: Checkpoint, wanted: str) -> Signature:
    """Make sure that a checkpoint can be used as architecture `wanted`, and say which it is.

    Raises CheckpointError naming what the file really is, what was wanted, and where the file belongs.
    """
    wish = BY_ID[wanted]
    found = identify(checkpoint)
    if found is None:
        names = [name or listed(list(state)) for name, state in checkpoint.components.items()]
        raise CheckpointError(
            f"{checkpoint.path} is of no architecture this pack knows (it holds: {', '.join(names)}); "
            f"{wish.name} weights are needed. Choose another file."
        )
    row = BY_ID[found]
    if wanted != found and wanted not in row.serves:
        raise CheckpointError(
            f"{checkpoint.path} holds {row.name} weights; {wish.name} weights are needed. "
            f"Choose another file here; this one belongs to {row.home}."
        )
    return row
