"""Facial Scene Representation Transformer."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.engine import Engine
from ..animation.pipeline import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.types import LoadOptions
from ..host.run import run
from . import common

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
        common.find_best_frame(),
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


class FSRT_Runner(common.Runner):
    """Facial Scene Representation Transformer."""

    ARCHITECTURE = "fsrt"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSRT_Runner",
            display_name="FSRT Runner",
            category=common.CATEGORY,
            description="Animates a face with the pose and expression of a video (Facial Scene Representation "
            "Transformer), from one picture of it or from several.",
            inputs=[
                *common.pictures("The picture to animate. A batch is taken as several pictures of the same face."),
                common.model_name("fsrt", "Which weights: trained with one picture of a face, or with two."),
                common.frame_rate(),
                *_motion(),
                *common.optional_inputs(
                    io.Image.Input(
                        "source_image_2",
                        optional=True,
                        tooltip="More pictures of the same face, of any size: from another side, or with what the "
                        "first does not show.",
                    )
                ),
            ],
            outputs=common.outputs(),
        )

    @classmethod
    def execute(
        cls,
        source_image: Tensor,
        driving_video_input: Tensor,
        model_name: str,
        frame_rate: float,
        relative: bool,
        adapt_scale: bool,
        find_best_frame: bool,
        max_num_pixels: int,
        audio: Any = None,
        source_image_2: Tensor | None = None,
        checkpoint: str = common.BY_NAME,
        if_missing: str = "error",
        size: int = 0,
        antialias: bool = False,
        best_frame_by: str = "auto",
        batch_size: int = 0,
        precision: str = "auto",
    ) -> io.NodeOutput:
        options = AnimateOptions(
            Retargeting("relative" if relative else "standard", adapt_scale=adapt_scale),
            size=size or None,
            antialias=antialias,
            batch=batch_size,
            max_pixels=max_num_pixels,
        )
        images = run(
            cls.ARCHITECTURE,
            source_image if source_image_2 is None else [source_image, source_image_2],
            driving_video_input,
            common.weights_choice(model_name, checkpoint, if_missing),
            LoadOptions(),
            options,
            best_frame_by if find_best_frame else None,
            Engine(precision),
        )
        return io.NodeOutput(images, audio, frame_rate)
