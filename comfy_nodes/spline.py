"""Runner node of Thin-Plate Spline Motion Model."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from . import inputs
from .runner import Runner, optional_inputs, runner_schema
from .schema import ANIMATE_WORDS

MODES = ("relative", "standard", "avd")


class Spline_Runner(Runner):
    """Runner node of Thin-Plate Spline Motion Model."""

    ARCHITECTURE = "spline"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return runner_schema(
            node_id="Spline_Runner",
            display_name="Spline Runner (Thin Plate Motion Transfer)",
            description="Animates a portrait, a body or a drawing with the motion of a video (Thin-Plate Spline Motion "
            "Model): motion transfer that follows larger movements.",
            aliases=[*ANIMATE_WORDS, "thin plate", "thin plate spline", "tpsmm"],
            inputs_=[
                *inputs.pictures(),
                inputs.frame_rate(),
                io.Combo.Input(
                    "predict_mode",
                    options=list(MODES),
                    default="relative",
                    tooltip="relative: add the video's movement to the picture's own pose. standard: take the video's "
                    "pose. avd: take its pose in the picture's own shape (needs weights that carry that network).",
                ),
                inputs.find_best_frame(),
                *optional_inputs(
                    inputs.model_name(
                        "spline",
                        "Which weights: vox for faces, taichi and ted-384 for bodies, mgif for drawings.",
                        optional=True,
                    ),
                    missing=inputs.if_missing("spline", optional=True),
                ),
            ],
        )

    @classmethod
    def execute(cls, predict_mode: str, **values: Any) -> io.NodeOutput:
        return cls.animate(AnimateOptions(Retargeting(predict_mode)), **values)
