"""Runner nodes for architectures without a node family of their own, made from their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.weights.architecture import Architecture
from . import inputs
from .runner import Runner, optional_inputs, runner_schema

MODES = {"model's default": None, "relative": "relative", "standard": "standard", "avd": "avd"}


def generic_runners(rows: Iterable[Architecture], nodes: Iterable[type[io.ComfyNode]]) -> list[type[Runner]]:
    """Make a runner for each architecture that no node runs yet, neither by its own name nor by its family's."""
    run = {node.ARCHITECTURE for node in nodes if issubclass(node, Runner)}
    return [generic_runner(row) for row in rows if row.id not in run and row.family not in run]


def generic_runner(row: Architecture) -> type[Runner]:
    """Make the runner of one architecture, `<ID>_Runner`."""
    name = f"{row.id.upper()}_Runner"
    weights = [inputs.model_name(row.id, "Which weights.", optional=True)] if row.published else []
    mode = io.Combo.Input(
        "mode",
        options=list(MODES),
        default=next(iter(MODES)),
        optional=True,
        tooltip="relative: add the video's movement to the picture's own pose. standard: take the video's pose. "
        "avd: take its pose in the picture's own shape (needs weights that carry that network).",
    )

    def define_schema(cls: type[Runner]) -> io.Schema:
        return runner_schema(
            node_id=name,
            display_name=f"{row.name} Runner",
            description=f"Animates a picture with the motion of a video ({row.name}).",
            inputs_=[
                *inputs.pictures(),
                inputs.frame_rate(),
                *optional_inputs(
                    *weights,
                    mode,
                    *inputs.folded(inputs.find_best_frame(optional=True)),
                    missing=inputs.if_missing(row.id, optional=True),
                ),
            ],
        )

    def execute(cls: type[Runner], mode: str = next(iter(MODES)), **values: Any) -> io.NodeOutput:
        return cls.animate(AnimateOptions(Retargeting(inputs.look_up_choice("mode", mode, MODES))), **values)

    body = {
        "__doc__": f"Runner node of {row.name}.",
        "ARCHITECTURE": row.id,
        "define_schema": classmethod(define_schema),
        "execute": classmethod(execute),
    }
    return type(name, (Runner,), body)
