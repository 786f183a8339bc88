"""Runner node of Thin-Plate Spline Motion Model."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from . import common

MODES = ("relative", "standard", "avd")


class Spline_Runner(common.Runner):
    """Runner node of Thin-Plate Spline Motion Model."""

    ARCHITECTURE = "spline"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return common.runner_schema(
            node_id="Spline_Runner",
            display_name="Spline Runner",
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
        )

    @classmethod
    def execute(cls, predict_mode: str, **inputs: Any) -> io.NodeOutput:
        return cls.animate(AnimateOptions(Retargeting(predict_mode)), **inputs)
