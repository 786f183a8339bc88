"""Nodes with the settings that runners share, on one wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.motion.controls import MOST_SMOOTHING, MOST_STRENGTH, Controls
from ..animation.moving import ADD, ENDS, HOLD, MOTIONS, MovingSource
from ..animation.options import ANCHOR
from ..core.errors import rename_parameters
from . import inputs
from .images import check_image
from .runtime import models
from .runtime.shared import RunnerSettings, SharedOptions, read_options
from .schema import OPTIONS, Node, make_schema

ENHANCER = {"descriptor": "upscale_model", "strength": "enhance_strength", "steadiness": "enhance_steadiness"}
MOST_STEADINESS = 0.99


def _motion() -> list[io.Input]:
    return [
        _number("strength", 1.0, MOST_STRENGTH, "How much of the movement is taken on: 0 none, 1 as it is, 2 twice."),
        _number("head", 1.0, MOST_STRENGTH, "The same for the head as a whole: its turning, size and place."),
        _number("expression", 1.0, MOST_STRENGTH, "The same for all that moves within the head: mouth, eyes, brows."),
        _number(
            "smoothing", 0.0, MOST_SMOOTHING,
            "Seconds over which driving poses are smoothed: 0.05 to 0.1 takes jitter away, more calms the movement.",
        ),
        io.Boolean.Input(
            "ping_pong", default=False, tooltip="Play the driving video forwards and then backwards, so that it loops."
        ),
    ]  # fmt: skip


def _rendering() -> list[io.Input]:
    return [
        _number(
            "detail", 0.0, 1.0,
            "Bring back fine detail of the picture at its full size, where the model says how it moved. 0 leaves the "
            "model's own result.",
        ),
        io.Boolean.Input(
            "moving_source", default=False,
            tooltip="On: a batch in source_image is a video whose every frame is animated. Off: its first picture is.",
        ),
        *inputs.folded(
        io.Combo.Input(
            "source_motion", options=list(MOTIONS), default=ADD,
            tooltip="Of a source that moves. add: the driving movement comes on top of its own. replace: instead.",
        ),
        io.Combo.Input(
            "source_ends", options=list(ENDS), default=HOLD,
            tooltip="What a source that moves does when it ends before the driving video: hold its last frame, start "
            "again (cycle), run backwards (mirror), or end the result there (cut).",
        ),
        _number("enhance_strength", 1.0, 1.0, "How much of the upscale model's result is taken over."),
        _number(
            "enhance_steadiness", 0.0, MOST_STEADINESS,
            "Blends what the upscale model adds over time, against flicker. 0 takes every frame as it comes.",
        ),
        ),
    ]  # fmt: skip


def _number(name: str, default: float, most: float, tooltip: str) -> io.Input:
    return io.Float.Input(name, default=default, min=0.0, max=most, step=0.01, tooltip=tooltip)


def _output(name: str) -> io.Output:
    return OPTIONS.Output(name, display_name="options", tooltip="For the input options of any runner.")


class FirstOrderMotion_Options(Node):
    """Node whose output sets motion, detail, moving sources and enhancement of any runner."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_Options",
            display_name="Animation Options",
            description="Strength and smoothing of the movement, fine detail, sources that move and enhancement, for "
            "any runner or Animate Video. The defaults change nothing.",
            aliases=["strength", "smoothing", "expression", "detail", "enhance", "face restore", "lip sync"],
            inputs=[
                *_motion(),
                *_rendering(),
                io.Image.Input(
                    "anchor", optional=True,
                    tooltip="The frame that movement is measured from, instead of the driving video's first.",
                ),
                io.UpscaleModel.Input(
                    "upscale_model", optional=True,
                    tooltip="A model from Load Upscale Model (GFPGAN, RestoreFormer, any upscaler) that restores the "
                    "animated faces.",
                ),
            ],
            outputs=[_output("options")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls,
        strength: float,
        head: float,
        expression: float,
        smoothing: float,
        ping_pong: bool,
        detail: float,
        moving_source: bool,
        source_motion: str,
        source_ends: str,
        enhance_strength: float,
        enhance_steadiness: float,
        anchor: object = None,
        upscale_model: object = None,
    ) -> io.NodeOutput:
        with rename_parameters(ENHANCER):
            enhancer = models.enhancer(upscale_model, enhance_strength, enhance_steadiness)
        return io.NodeOutput(
            SharedOptions(
                Controls(strength, head, expression, smoothing),
                ping_pong,
                detail,
                moving_source,
                MovingSource(source_motion, source_ends),
                None if anchor is None else check_image(anchor, ANCHOR)[:1],
                enhancer,
            )
        )


class FirstOrderMotion_RunnerOptions(Node):
    """Node whose output sets how any runner works: size, framing, precision, batches."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_RunnerOptions",
            display_name="Runner Options",
            description="How any runner works: size, framing, best frame, precision and batches. Goes before what a "
            "runner holds itself of these. The defaults change nothing.",
            aliases=["size", "precision", "batch size", "fp16", "framing", "best frame", "antialias"],
            inputs=[
                inputs.size(),
                inputs.framing(),
                inputs.antialias(),
                inputs.best_frame_by(),
                inputs.batch_size(),
                inputs.precision(),
                OPTIONS.Input("options", optional=True, tooltip="From Animation Options, to go on along this wire."),
            ],
            outputs=[_output("options_out")],
        )

    @classmethod
    def execute(cls, options: object = None, **settings: Any) -> io.NodeOutput:
        return io.NodeOutput(replace(read_options(options), runner=RunnerSettings(**settings)))
