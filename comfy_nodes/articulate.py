"""Runner node of Motion Representations for Articulated Animation."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.types import LoadOptions
from ..module_articulate.variants import VARIANTS
from . import inputs
from .runner import Runner, optional_inputs, runner_schema

MODES = ("avd", "relative", "standard")
FROM_FILE = "from checkpoint"


def _choices() -> list[io.Input]:
    return [
        inputs.model_name(
            "articulate",
            "Which weights: vox256 for faces, taichi256 for bodies, ted384 and ted-youtube384 for speakers, "
            "mgif256 for drawn animals.",
            optional=True,
        ),
        io.Combo.Input(
            "mode",
            options=list(MODES),
            default="avd",
            optional=True,
            tooltip="avd: take the video's pose in the picture's own shape (needs weights that carry that network). "
            "relative: add the video's movement to the picture's own pose. standard: take the video's pose.",
        ),
        *inputs.folded(inputs.find_best_frame(optional=True)),
    ]


def _variant() -> io.Input:
    return io.Combo.Input(
        "variant",
        options=[FROM_FILE, *VARIANTS],
        default=FROM_FILE,
        optional=True,
        tooltip="Which published file the weights are like, for a file of your own that neither its bytes nor its "
        "name tell; vox256 must be run differently from the others.",
    )


class Articulate_Runner(Runner):
    """Runner node of Articulated Animation."""

    ARCHITECTURE = "articulate"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return runner_schema(
            node_id="Articulate_Runner",
            display_name="Articulate Runner (Puppet, Body)",
            description="Animates a portrait, a whole body or a drawn animal like a puppet, with the motion of a video "
            "(Articulated Animation).",
            inputs_=[
                *inputs.pictures(),
                inputs.frame_rate(),
                *optional_inputs(
                    *_choices(), missing=inputs.if_missing("articulate", optional=True), advanced=[_variant()]
                ),
            ],
        )

    @classmethod
    def execute(cls, mode: str = "avd", variant: str = FROM_FILE, **values: Any) -> io.NodeOutput:
        load_options = LoadOptions(variant=None if variant == FROM_FILE else variant)
        return cls.animate(AnimateOptions(Retargeting(mode)), load_options, **values)
