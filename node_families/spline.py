"""Thin-Plate Spline Motion Model."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.engine import Engine
from ..animation.pipeline import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.types import LoadOptions
from ..host.run import run
from ..loading.published import names
from . import common

MODES = ("relative", "standard", "avd")


class Spline_Runner(common.Runner):
    """Thin-Plate Spline Motion Model."""

    ARCHITECTURE = "spline"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Spline_Runner",
            display_name="Spline Runner",
            category=common.CATEGORY,
            description="Animates a picture with the motion of a video (Thin-Plate Spline Motion Model).",
            inputs=[
                *common.pictures(),
                common.frame_rate(),
                io.Combo.Input(
                    "predict_mode",
                    options=list(MODES),
                    default="relative",
                    tooltip="relative: add the video's movement to the picture's own pose. standard: take the video's "
                    "pose. avd: take its pose in the picture's own shape (needs weights that carry that network).",
                ),
                common.find_best_frame(),
                *common.optional_inputs(
                    common.model_name(
                        "spline",
                        "Which published weights: vox for faces, taichi and ted-384 for bodies, mgif for drawings.",
                        optional=True,
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
        frame_rate: float,
        predict_mode: str,
        find_best_frame: bool,
        audio: Any = None,
        model_name: str = names("spline")[0],
        checkpoint: str = common.BY_NAME,
        if_missing: str = "error",
        size: int = 0,
        antialias: bool = False,
        best_frame_by: str = "auto",
        batch_size: int = 0,
        precision: str = "auto",
    ) -> io.NodeOutput:
        options = AnimateOptions(Retargeting(predict_mode), size=size or None, antialias=antialias, batch=batch_size)
        images = run(
            cls.ARCHITECTURE,
            source_image,
            driving_video_input,
            common.weights_choice(model_name, checkpoint, if_missing),
            LoadOptions(),
            options,
            best_frame_by if find_best_frame else None,
            Engine(precision),
        )
        return io.NodeOutput(images, audio, frame_rate)
