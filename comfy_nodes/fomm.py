"""Runner node of First Order Motion Model."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.types import LoadOptions
from . import inputs
from .runner import Runner, optional_inputs, runner_schema

FROM_FILE = "from checkpoint"
SAMPLING = {FROM_FILE: None, "corners not aligned": False, "corners aligned": True}
SCALES = {FROM_FILE: None, "0.25": 0.25, "0.125": 0.125, "0.0625": 0.0625}


def _advanced() -> list[io.Input]:
    return [
        io.Combo.Input(
            "scale_factor",
            options=list(SCALES),
            default=FROM_FILE,
            optional=True,
            tooltip="How much pictures shrink before motion is estimated. Weights trained at 512 want 0.125.",
        ),
        io.Combo.Input(
            "sampling",
            options=list(SAMPLING),
            default=FROM_FILE,
            optional=True,
            tooltip="Published weights were probably trained with aligned corners, while the published code now "
            "runs without. Aligned avoids darkened borders and a half-pixel shift; from checkpoint keeps the "
            "earlier pack's picture.",
        ),
    ]


class FOMM_Runner(Runner):
    """Runner node of First Order Motion Model."""

    ARCHITECTURE = "fomm"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return runner_schema(
            node_id="FOMM_Runner",
            display_name="FOMM Runner (Animate Portrait)",
            description="Animates a portrait, a talking head, a body or a drawing with the motion of a video: motion "
            "transfer by the First Order Motion Model. Its drawn-faces weights are bundled.",
            inputs_=[
                *inputs.pictures(),
                inputs.model_name(
                    "fomm",
                    "Which weights: vox and vox-adv for faces, taichi for bodies, fashion, ...; drawn-faces, which is "
                    "bundled, for drawn faces.",
                ),
                inputs.frame_rate(),
                io.Boolean.Input(
                    "relative_movement",
                    default=True,
                    tooltip="Add the video's movement to the picture's own pose, instead of taking the video's pose.",
                ),
                io.Boolean.Input(
                    "relative_jacobian",
                    default=True,
                    tooltip="Carry over local rotation and stretch as changes too. Only with relative_movement.",
                ),
                io.Boolean.Input(
                    "adapt_movement_scale",
                    default=True,
                    tooltip="Scale the movement by the sizes of the two heads. Only with relative_movement.",
                ),
                inputs.find_best_frame(),
                *optional_inputs(missing=inputs.if_missing("fomm", optional=True), advanced=_advanced()),
            ],
        )

    @classmethod
    def execute(
        cls,
        relative_movement: bool,
        relative_jacobian: bool,
        adapt_movement_scale: bool,
        scale_factor: str = FROM_FILE,
        sampling: str = FROM_FILE,
        **values: Any,
    ) -> io.NodeOutput:
        mode = "relative" if relative_movement else "standard"
        return cls.animate(
            AnimateOptions(Retargeting(mode, relative_jacobian, adapt_movement_scale)),
            LoadOptions(
                inputs.look_up_choice("sampling", sampling, SAMPLING),
                inputs.look_up_choice("scale_factor", scale_factor, SCALES),
            ),
            **values,
        )
