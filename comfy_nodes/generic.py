"""Runner nodes for architectures without a node family of their own, made from their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.options import AnimateOptions
from ..animation.retarget import Retargeting
from ..core.weights.architecture import Architecture
from . import common

MODES = {"model's default": None, "relative": "relative", "standard": "standard", "avd": "avd"}


def generic_runners(rows: Iterable[Architecture], nodes: Iterable[type[io.ComfyNode]]) -> list[type[common.Runner]]:
    """Make a runner for each architecture that no node runs yet, neither by its own name nor by its family's."""
    run = {node.ARCHITECTURE for node in nodes if issubclass(node, common.Runner)}
    return [generic_runner(row) for row in rows if row.id not in run and row.family not in run]


def generic_runner(row: Architecture) -> type[common.Runner]:
    """Make the runner of one architecture, `<ID>_Runner`."""
    name = f"{row.id.upper()}_Runner"
    weights = [common.model_name(row.id, "Which published weights.", optional=True)] if row.published else []
    mode = io.Combo.Input(
        "mode",
        options=list(MODES),
        default=next(iter(MODES)),
        optional=True,
        tooltip="relative: add the video's movement to the picture's own pose. standard: take the video's pose. "
        "avd: take its pose in the picture's own shape (needs weights that carry that network).",
    )

    def define_schema(cls: type[common.Runner]) -> io.Schema:
        return common.runner_schema(
            node_id=name,
            display_name=f"{row.name} Runner",
            description=f"Animates a picture with the motion of a video ({row.name}).",
            inputs=[
                *common.pictures(),
                common.frame_rate(),
                *common.optional_inputs(*weights, mode, common.find_best_frame(optional=True)),
            ],
        )

    def execute(cls: type[common.Runner], mode: str = next(iter(MODES)), **inputs: Any) -> io.NodeOutput:
        return cls.animate(AnimateOptions(Retargeting(common.look_up_choice("mode", mode, MODES))), **inputs)

    body = {
        "__doc__": f"Runner node of {row.name}.",
        "ARCHITECTURE": row.id,
        "define_schema": classmethod(define_schema),
        "execute": classmethod(execute),
    }
    return type(name, (common.Runner,), body)
