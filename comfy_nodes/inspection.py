"""Node that shows what a model saw."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from ..animation.options import DRIVING, SOURCE
from ..core.errors import rename_parameters
from . import inputs, model_menu
from .images import check_image
from .runtime.inspection import inspect
from .runtime.shared import read_options
from .schema import make_schema


class FirstOrderMotion_InspectMotion(model_menu.ModelNode):
    """Node that shows keypoints, flow, occlusion and moved pixels behind an animation."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        pictures = {
            "source_points": ("source", "The picture with the model's keypoints."),
            "driving_points": ("driving", "The driving frames with theirs."),
            "result_points": ("result", "The animated picture with the keypoints it was asked to take on."),
            "flow": ("flow", "Where each pixel comes from: hue is direction, strength of colour is distance."),
        }
        masks = {
            "occlusion": "How much of the source shows at each pixel; what is dark the model painted anew.",
            "moved": "The pixels that moved by more than one.",
        }
        return make_schema(
            node_id="FirstOrderMotion_InspectMotion",
            display_name="Inspect Motion",
            description="Shows what a model saw while it animated a picture: keypoints, flow, occlusion, what moved.",
            aliases=["keypoints", "optical flow", "motion transfer", "debug motion"],
            inputs=[
                *inputs.pictures(),
                *model_menu.model_inputs(),
                inputs.frame_rate(),
                inputs.shared_options(),
            ],
            outputs=[
                *(
                    io.Image.Output(name, display_name=shown, tooltip=tooltip)
                    for name, (shown, tooltip) in pictures.items()
                ),
                *(io.Mask.Output(name, display_name=name, tooltip=tooltip) for name, tooltip in masks.items()),
            ],
        )

    @classmethod
    def execute(
        cls,
        source_image: object,
        driving_video_input: object,
        model: str,
        if_missing: str,
        frame_rate: float,
        options: object = None,
    ) -> io.NodeOutput:
        with rename_parameters(inputs.RUNNER_INPUTS):
            source, driving = check_image(source_image, SOURCE), check_image(driving_video_input, DRIVING)
            files = model_menu.find_files(model, if_missing)
            return io.NodeOutput(*inspect(source, driving, files, read_options(options), frame_rate))
