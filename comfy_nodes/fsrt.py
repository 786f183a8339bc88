"""Runner node of Facial Scene Representation Transformer."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from . import inputs
from .runner import Runner, optional_inputs, runner_schema

MOST_PIXELS = 2**31 - 1


def _motion() -> list[io.Input]:
    return [
        io.Boolean.Input(
            "relative",
            default=False,
            tooltip="On: add the video's movement to the picture's own pose. Off: take the video's pose. The "
            "expression is the video's either way.",
        ),
        io.Boolean.Input(
            "adapt_scale",
            default=False,
            tooltip="Scale the movement by the size of the picture's face to the video's. Only with relative.",
        ),
        inputs.find_best_frame(),
        io.Int.Input(
            "max_num_pixels",
            default=65536,
            min=1,
            max=MOST_PIXELS,
            step=1,
            tooltip="The most pixels worked on at once. Changes memory and speed only; fewer are taken by themselves "
            "where more would not fit.",
        ),
    ]


class FSRT_Runner(Runner):
    """Runner node of Facial Scene Representation Transformer."""

    ARCHITECTURE = "fsrt"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return runner_schema(
            node_id="FSRT_Runner",
            display_name="FSRT Runner (Face Reenactment)",
            description="Reenacts a portrait with the pose and expression of a video (Facial Scene Representation "
            "Transformer), from one picture of a face or from several. The slowest.",
            inputs_=[
                *inputs.pictures("The picture to animate. A batch is taken as several pictures of the same face."),
                inputs.model_name("fsrt", "Which weights: trained with one picture of a face, or with two."),
                inputs.frame_rate(),
                *_motion(),
                *optional_inputs(
                    io.Image.Input(
                        "source_image_2",
                        optional=True,
                        tooltip="More pictures of the same face, of any size: from another side, or with what the "
                        "first does not show.",
                    ),
                    missing=inputs.if_missing("fsrt", optional=True),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        source_image: Any,
        relative: bool,
        adapt_scale: bool,
        max_num_pixels: int,
        source_image_2: Any = None,
        **values: Any,
    ) -> io.NodeOutput:
        retargeting = Retargeting("relative" if relative else "standard", adapt_scale=adapt_scale)
        source = source_image if source_image_2 is None else [source_image, source_image_2]
        return cls.animate(AnimateOptions(retargeting, max_pixels=max_num_pixels), source_image=source, **values)
