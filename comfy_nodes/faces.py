"""Nodes around any runner for pictures of any size with several faces: one cuts them out, one pastes them back."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.faces.detectors import AUTO, NAMES
from ..animation.faces.face import ALL
from ..animation.faces.paste import DEFAULT_FEATHER
from ..animation.faces.square import DEFAULT_RATIO
from ..animation.faces.squares import FaceSquares
from ..animation.framing import FaceOptions
from ..core.errors import InputError
from .images import check_image
from .runtime.faces import crop, paste
from .schema import Node, make_schema

SQUARES = io.Custom("FACE_SQUARES")


class FirstOrderMotion_CropFaces(Node):
    """Node that cuts the faces out of a picture or a clip, as squares of one size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_CropFaces",
            display_name="Crop Faces",
            description="Cuts every face out of a picture or a clip, for a runner and Paste Faces behind it. Each face "
            "goes through the nodes behind it on its own.",
            aliases=["face crop", "face detection", "portrait", "group photo", "talking head"],
            inputs=[
                io.Image.Input("image", tooltip="A picture of any size, or a clip, whose faces are followed."),
                io.String.Input(
                    "faces", default=ALL, tooltip="Which: all, largest, or numbers from left to right such as 0,2."
                ),
                io.Int.Input(
                    "size", default=256, min=32, max=2048, step=32,
                    tooltip="Side of the cut pictures in pixels: what the runner's weights were trained at.",
                ),
                io.Float.Input(
                    "ratio", default=DEFAULT_RATIO, min=0.0, max=4.0, step=0.05,
                    tooltip="Margin around each face on every side, as a part of its longer side.",
                ),
                io.Boolean.Input("upright", default=False, tooltip="Turn each face so that its eyes are level."),
                io.Boolean.Input(
                    "smooth_crop", default=False,
                    tooltip="Of a clip: follow the head on a smooth path, not by one cut that holds all its movement.",
                ),
                io.String.Input(
                    "boxes", default="", optional=True,
                    tooltip="The faces' boxes, instead of a detector: [[left, top, right, bottom], ...] in pixels.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Instead of boxes: each connected part is a face."),
                io.Combo.Input(
                    "detector", options=list(NAMES), default=AUTO, optional=True,
                    tooltip="What finds the faces; auto takes the best that is installed. Nothing is downloaded.",
                ),
                io.Float.Input(
                    "frame_rate", default=24.0, min=0.01, max=1000.0, step=0.001, optional=True,
                    tooltip="Frames per second of a clip, for following and smoothing.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "crops", display_name="crops", is_output_list=True, tooltip="A list: the cut pictures of each face."
                ),
                SQUARES.Output("squares", display_name="squares", tooltip="Where they were cut out, for Paste Faces."),
                io.Mask.Output("mask_out", display_name="mask", tooltip="What Paste Faces will change of the picture."),
                io.Image.Output("preview", display_name="preview", tooltip="The picture with numbered squares."),
                io.Int.Output("count", display_name="count", tooltip="The number of faces."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls,
        image: object,
        faces: str,
        size: int,
        ratio: float,
        upright: bool,
        smooth_crop: bool,
        boxes: str = "",
        mask: Tensor | None = None,
        detector: str = AUTO,
        frame_rate: float = 24.0,
    ) -> io.NodeOutput:
        options = FaceOptions(faces=faces, ratio=ratio, upright=upright, smooth_crop=smooth_crop)
        crops, squares, covered, preview = crop(
            check_image(image, "image"), boxes, mask, detector, options, frame_rate, size
        )
        return io.NodeOutput(crops, squares, covered, preview, len(crops))


class FirstOrderMotion_PasteFaces(Node):
    """Node that pastes animated faces back into the picture or clip that they were cut out of."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_PasteFaces",
            display_name="Paste Faces",
            description="Pastes what a runner made of Crop Faces' pictures back to where they were. Outside the faces "
            "the picture stays as it is, bit for bit.",
            aliases=["face paste", "paste back", "stitch", "portrait", "face swap"],
            is_input_list=True,
            inputs=[
                io.Image.Input("image", tooltip="The picture or clip that went into Crop Faces."),
                io.Image.Input("crops", tooltip="The animated faces: the runner's images."),
                SQUARES.Input("squares", tooltip="From Crop Faces."),
                io.Float.Input(
                    "feather", default=DEFAULT_FEATHER, min=0.0, max=0.5, step=0.01,
                    tooltip="Width of the fading edge, as a part of the square's side.",
                ),
                io.Boolean.Input(
                    "match_colour", default=False, tooltip="Shift each face's colours to those around its edge."
                ),
            ],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="Whole pictures, one for each frame."),
                io.Mask.Output("mask", display_name="mask", tooltip="What was pasted, of the last picture."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, **lists: Any) -> io.NodeOutput:
        squares = _only("squares", lists["squares"])
        if not isinstance(squares, FaceSquares):
            raise InputError("come from another node; wire Crop Faces' squares here.", "squares")
        image = check_image(_only("image", lists["image"]), "image")
        crops = [check_image(faces, "crops") for faces in lists["crops"]]
        return io.NodeOutput(*paste(image, crops, squares, float(lists["feather"][0]), bool(lists["match_colour"][0])))


def _only(name: str, values: list[Any]) -> object:
    """Take the one value of an input; InputError where a list of several came."""
    if len(values) != 1:
        raise InputError(f"is a list of {len(values)}; one was wanted. Wire what went into Crop Faces.", name)
    return values[0]
