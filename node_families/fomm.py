"""First Order Motion Model."""

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

FROM_FILE = "from checkpoint"
SAMPLING = {FROM_FILE: None, "corners not aligned": False, "corners aligned": True}
SCALES = {FROM_FILE: None, "0.25": 0.25, "0.125": 0.125, "0.0625": 0.0625}


def _experts() -> list[io.Input]:
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


class FOMM_Runner(common.Runner):
    """First Order Motion Model."""

    ARCHITECTURE = "fomm"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FOMM_Runner",
            display_name="FOMM Runner",
            category=common.CATEGORY,
            description="Animates a picture with the motion of a video (First Order Motion Model).",
            inputs=[
                *common.pictures(),
                common.model_name(
                    "fomm", "Which published weights: vox and vox-adv for faces, taichi for bodies, fashion, ..."
                ),
                common.frame_rate(),
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
                common.find_best_frame(),
                *common.optional_inputs(experts=_experts()),
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
        relative_movement: bool,
        relative_jacobian: bool,
        adapt_movement_scale: bool,
        find_best_frame: bool,
        audio: Any = None,
        checkpoint: str = common.BY_NAME,
        if_missing: str = "error",
        size: int = 0,
        scale_factor: str = FROM_FILE,
        sampling: str = FROM_FILE,
        antialias: bool = False,
        best_frame_by: str = "auto",
        batch_size: int = 0,
        precision: str = "auto",
    ) -> io.NodeOutput:
        mode = "relative" if relative_movement else "standard"
        images = run(
            cls.ARCHITECTURE,
            source_image,
            driving_video_input,
            common.weights_choice(model_name, checkpoint, if_missing),
            LoadOptions(
                common.chosen("sampling", sampling, SAMPLING), common.chosen("scale_factor", scale_factor, SCALES)
            ),
            AnimateOptions(
                retargeting=Retargeting(mode, relative_jacobian, adapt_movement_scale),
                size=size or None,
                antialias=antialias,
                batch=batch_size,
            ),
            best_frame_by if find_best_frame else None,
            Engine(precision),
        )
        return io.NodeOutput(images, audio, frame_rate)
