"""Nodes for face parsing alone: masks of nineteen classes of pixels, chosen by name."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.parse_faces import IMAGE
from ..face_parsing.classes import DEFAULT, GROUPS, IDS, NAMES, chosen_classes
from ..module_partswap.parts import join_numbers
from . import inputs
from .images import check_image
from .runner import request
from .runtime import weights
from .runtime.partswap import PARSER, PARSER_NAME, run_parser
from .schema import Node, make_schema, mark_advanced


class FirstOrderMotion_FaceParser(Node):
    """Node that masks face parts by BiSeNet."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_FaceParser",
            display_name="Face Parser (Face Mask, BiSeNet)",
            description="Face masks of parts by name: skin, eyes, mouth, hair, hat, ... (BiSeNet, 79999_iter.pth).",
            aliases=["face mask", "bisenet", "face parsing", "face segmentation", "hair mask", "mask"],
            inputs=[
                io.Image.Input("image", tooltip="Pictures or frames, of any size; a face should fill much of each."),
                io.String.Input(
                    "face_parts",
                    default=DEFAULT,
                    tooltip="What the mask covers. Names with commas (hair, hat, eyes, eyebrows, nose, mouth, ears, "
                    "neck, cloth, skin, face, head), numbers such as 17_18, or a wire from Face Parts Chooser.",
                ),
                io.Boolean.Input(
                    "hard_edges",
                    default=False,
                    tooltip="On: the mask is 0 or 1. Off: how likely a pixel belongs to it.",
                ),
                io.Float.Input(
                    "viz_alpha",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.1,
                    tooltip="How strongly the classes' colours cover the pictures that show them.",
                ),
                *inputs.folded(inputs.checkpoint()),
                inputs.if_missing(PARSER, optional=True),
                mark_advanced(inputs.batch_size(4, "Pictures worked on at once.")),
            ],
            outputs=[
                io.Mask.Output("mask", display_name="mask", tooltip="One mask per picture, of the picture's size."),
                io.Image.Output(
                    "segments", display_name="segments", tooltip="Every picture under the classes' colours."
                ),
                io.Image.Output("legend", display_name="legend", tooltip="The first of these with a legend."),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = inputs.BY_NAME, if_missing: str | None = "error") -> bool:
        """Check that the weight file is there; see `Runner`."""
        if checkpoint is None or if_missing is None:
            return True
        return weights.check_there((PARSER, request(PARSER, PARSER_NAME, checkpoint, if_missing)))

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str = inputs.BY_NAME, **_: Any) -> str:
        """Return a text that changes with the weight file, so that the node runs again."""
        return weights.fingerprint(PARSER, request(PARSER, PARSER_NAME, checkpoint, "error"))

    @classmethod
    def execute(
        cls,
        image: Any,
        face_parts: str,
        hard_edges: bool,
        viz_alpha: float,
        batch_size: int = 4,
        checkpoint: str = inputs.BY_NAME,
        if_missing: str = "error",
    ) -> io.NodeOutput:
        wanted = request(PARSER, PARSER_NAME, checkpoint, if_missing)
        pictures = check_image(image, IMAGE)
        classes = chosen_classes(face_parts)
        return io.NodeOutput(*run_parser(pictures, wanted, classes, hard_edges, viz_alpha, batch_size))


class FirstOrderMotion_FaceParts(Node):
    """Node with a switch for each of the nineteen classes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_FaceParts",
            display_name="Face Parts Chooser",
            description="Chooses face parts by name, for face_parts of Face Parser and FOMM Partswap.",
            aliases=["face mask", "face parts", "bisenet", "face swap"],
            inputs=[
                io.Boolean.Input(
                    name,
                    display_name=shown,
                    default=number in GROUPS[DEFAULT],
                    tooltip=f"Class {number}: {shown}.",
                )
                for number, (name, shown) in enumerate(zip(IDS, NAMES, strict=True))
            ],
            outputs=[
                io.String.Output(
                    "face_parts", display_name="face_parts", tooltip="The numbers of the classes that are on."
                )
            ],
        )

    @classmethod
    def execute(cls, **switches: Any) -> io.NodeOutput:
        return io.NodeOutput(join_numbers(number for number, name in enumerate(IDS) if switches.get(name)))
