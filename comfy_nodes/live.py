"""Node for live: a camera drives a picture, on a page of ComfyUI's own server."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from ..animation.options import SOURCE
from ..core.errors import rename_parameters
from . import model_menu
from .images import check_image
from .runtime import live
from .schema import ANIMATE_WORDS, make_schema

INPUTS = {SOURCE: "picture"}


class FirstOrderMotion_Live(model_menu.ModelNode):
    """Node that holds the picture and the weights of the live page, and says where that is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_Live",
            display_name="Live (Webcam, Real Time)",
            description="A camera drives a picture, in real time: run this node, and open the page by its button. "
            "While ComfyUI works on a prompt, live steps aside.",
            aliases=[*ANIMATE_WORDS, "camera", "webcam", "real time", "avatar"],
            inputs=[
                io.Image.Input("picture", tooltip="The picture to animate: its largest face. Of a batch, the first."),
                *model_menu.model_inputs(),
            ],
            outputs=[
                io.String.Output(
                    "address",
                    display_name="address",
                    tooltip="The page's address, with the token without which it does nothing.",
                )
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, picture: object, model: str, if_missing: str) -> io.NodeOutput:
        with rename_parameters(INPUTS):
            source, files = check_image(picture, SOURCE), model_menu.find_files(model, if_missing)
            path, address = live.offer(source, model, files)
        return io.NodeOutput(address, ui={"path": [path]})
