"""Runner node of MRFA (Learning Motion Refinement for Unsupervised Face Animation)."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from . import inputs
from .runner import Runner, optional_inputs, runner_schema


def _switches() -> list[io.Input]:
    return [
        io.Boolean.Input(
            "use_relative",
            default=True,
            tooltip="Measure movement from a frame of the video. Off: take the video's pose, and with celebvhq the "
            "movement of its background too; the next three do nothing then.",
        ),
        io.Boolean.Input(
            "relative_movement",
            default=True,
            tooltip="Add the video's movement to the picture's own pose. Off: take the video's pose, and leave the "
            "background still.",
        ),
        io.Boolean.Input(
            "relative_jacobian",
            default=True,
            tooltip="Carry over local rotation and stretch as changes too. Only with relative_movement.",
        ),
        io.Boolean.Input(
            "adapt_movement_scale",
            default=False,
            tooltip="Scale the movement by the sizes of the two heads. Only with relative_movement.",
        ),
    ]


class MRFA_Runner(Runner):
    """Runner node of MRFA (Learning Motion Refinement for Unsupervised Face Animation)."""

    ARCHITECTURE = "mrfa"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return runner_schema(
            node_id="MRFA_Runner",
            display_name="MRFA Runner (Talking Head)",
            description="Animates a portrait into a talking head with the motion of a video (MRFA, motion refinement): "
            "slower and finer than most.",
            inputs_=[
                *inputs.pictures(),
                inputs.model_name("mrfa", "Which weights: vox or celebvhq, both for faces."),
                inputs.frame_rate(),
                *_switches(),
                *optional_inputs(
                    *inputs.folded(inputs.find_best_frame(optional=True)),
                    missing=inputs.if_missing("mrfa", optional=True),
                    fixed_size=True,
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        use_relative: bool,
        relative_movement: bool,
        relative_jacobian: bool,
        adapt_movement_scale: bool,
        **values: Any,
    ) -> io.NodeOutput:
        mode = "relative" if use_relative and relative_movement else "standard"
        retargeting = Retargeting(mode, relative_jacobian, adapt_movement_scale, background=not use_relative)
        return cls.animate(AnimateOptions(retargeting), **values)
