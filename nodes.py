"""The nodes: schema, and a few lines that hand over to `host.run`. Ids, order and defaults are a contract."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from comfy_api.v0_0_2 import ComfyExtension, io
from torch import Tensor

from .animation.best_frame import METHODS
from .animation.pipeline import AnimateOptions
from .animation.retarget import Retargeting
from .core.errors import InputError
from .core.types import LoadOptions
from .host import folders, weights
from .host.run import run
from .host.sample import sample
from .host.taken import taken_ids
from .loading import bundled
from .loading.choice import WeightsChoice
from .loading.published import MODEL_FOLDER, names

log = logging.getLogger(__name__)

CATEGORY = "FirstOrderMM"
BY_NAME = "by model_name"
FROM_FILE = "from checkpoint"
SAMPLING = {FROM_FILE: None, "corners not aligned": False, "corners aligned": True}
SCALES = {FROM_FILE: None, "0.25": 0.25, "0.125": 0.125, "0.0625": 0.0625}
IF_MISSING = {"error": False, "download": True}

T = TypeVar("T")


def chosen(name: str, value: str, options: Mapping[str, T]) -> T:
    """What a menu entry stands for; the server does not check entries, so an unknown one raises InputError."""
    if value not in options:
        raise InputError(f"{name} is {value!r}; choose one of: {', '.join(options)}.")
    return options[value]


def advanced(widget: io.Input) -> io.Input:
    """Fold a widget away under "advanced" on frontends that know that."""
    widget.extra_dict = {"advanced": True}
    return widget


def pictures() -> list[io.Input]:
    """The two pictures every runner starts with."""
    return [
        io.Image.Input("source_image", tooltip="The picture to animate. Of a batch, the first is taken."),
        io.Image.Input("driving_video_input", tooltip="The frames whose motion the picture takes on, in order."),
    ]


def frame_rate() -> io.Input:
    """Passed through, so that the saver can be wired to the runner alone."""
    return io.Float.Input(
        "frame_rate",
        default=30.0,
        min=0.01,
        max=1000.0,
        step=0.001,
        tooltip="Frames per second of the driving video; handed on unchanged.",
    )


def outputs() -> list[io.Output]:
    """What every runner gives. Ids differ from the inputs' because a node's ids must be unique."""
    return [
        io.Image.Output("images", display_name="images", tooltip="The animated picture, one image per driving frame."),
        io.Audio.Output("audio_out", display_name="audio", tooltip="The audio that came in, untouched."),
        io.Float.Output("frame_rate_out", display_name="frame_rate", tooltip="The frame rate that came in."),
    ]


def optional_inputs() -> list[io.Input]:
    """Audio, then everything that old workflows do not have; each default keeps the old result."""
    return [
        io.Audio.Input("audio", optional=True, tooltip="Sound of the driving video; handed on untouched."),
        io.Combo.Input(
            "checkpoint",
            options=[BY_NAME, *folders.listed_files()],
            default=BY_NAME,
            optional=True,
            tooltip=f"A weight file of your own in models/{MODEL_FOLDER}, instead of the published one by name.",
        ),
        io.Combo.Input(
            "if_missing",
            options=list(IF_MISSING),
            default="error",
            optional=True,
            tooltip="What to do when the weight file is not there: say where to get it, or download it "
            "(only files whose SHA-256 is published).",
        ),
        *(advanced(widget) for widget in _expert_inputs()),
    ]


def _expert_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "size",
            default=0,
            min=0,
            max=4096,
            step=128,
            optional=True,
            tooltip="Side of the result in pixels; 0 takes the size the weights were trained at (256).",
        ),
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
        io.Boolean.Input(
            "antialias",
            default=False,
            optional=True,
            tooltip="Filter while shrinking large pictures: less flicker. Off gives the earlier pack's picture.",
        ),
        io.Combo.Input(
            "best_frame_by",
            options=list(METHODS),
            default="auto",
            optional=True,
            tooltip="How find_best_frame compares poses: auto takes face landmarks if face-alignment is installed, "
            "else the model's own keypoints, which work for things without a face too.",
        ),
        io.Int.Input(
            "batch_size",
            default=8,
            min=1,
            max=256,
            step=1,
            optional=True,
            tooltip="Frames worked on at once. Changes speed and memory only; halved by itself when memory runs out.",
        ),
    ]


class FOMM_Runner(io.ComfyNode):
    """First Order Motion Model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FOMM_Runner",
            display_name="FOMM Runner",
            category=CATEGORY,
            description="Animates a picture with the motion of a video (First Order Motion Model).",
            inputs=[
                *pictures(),
                io.Combo.Input(
                    "model_name",
                    options=names("fomm"),
                    default="vox-adv",
                    tooltip="Which published weights: vox and vox-adv for faces, taichi for bodies, fashion, ...",
                ),
                frame_rate(),
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
                io.Boolean.Input(
                    "find_best_frame",
                    default=False,
                    tooltip="Measure movement from the frame whose pose is closest to the picture's, not the first.",
                ),
                *optional_inputs(),
            ],
            outputs=outputs(),
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = BY_NAME) -> bool | str:
        """Named only to switch off the list check: a file that is gone is explained by `execute`."""
        return True

    @classmethod
    def fingerprint_inputs(cls, model_name: str = "", checkpoint: str = BY_NAME, **_: Any) -> str:
        """Run again when the weight file has changed."""
        return weights.fingerprint("fomm", WeightsChoice(model_name, _file(checkpoint)))

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
        checkpoint: str = BY_NAME,
        if_missing: str = "error",
        size: int = 0,
        scale_factor: str = FROM_FILE,
        sampling: str = FROM_FILE,
        antialias: bool = False,
        best_frame_by: str = "auto",
        batch_size: int = 8,
    ) -> io.NodeOutput:
        mode = "relative" if relative_movement else "standard"
        images = run(
            "fomm",
            source_image,
            driving_video_input,
            WeightsChoice(model_name, _file(checkpoint), chosen("if_missing", if_missing, IF_MISSING)),
            LoadOptions(chosen("sampling", sampling, SAMPLING), chosen("scale_factor", scale_factor, SCALES)),
            AnimateOptions(
                retargeting=Retargeting(mode, relative_jacobian, adapt_movement_scale),
                size=size or None,
                antialias=antialias,
                batch=batch_size,
            ),
            best_frame_by if find_best_frame else None,
        )
        return io.NodeOutput(images, audio, frame_rate)


def _file(checkpoint: str) -> str:
    return "" if checkpoint == BY_NAME else checkpoint


class FirstOrderMotion_Sample(io.ComfyNode):
    """Something to try the runners on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FirstOrderMotion_Sample",
            display_name="First Order Motion Sample",
            category=CATEGORY,
            description="A drawn picture and a drawn driving video with sound, to try the runners without any file.",
            inputs=[
                io.Combo.Input(
                    "picture",
                    options=list(bundled.sample_pictures()),
                    default=next(iter(bundled.sample_pictures())),
                    tooltip="Which of the bundled pictures.",
                ),
            ],
            outputs=[
                io.Image.Output("source_image", display_name="source_image", tooltip="The picture."),
                io.Image.Output("driving_video", display_name="driving_video", tooltip="The frames of the video."),
                io.Audio.Output("audio", display_name="audio", tooltip="The sound of the video."),
                io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second of the video."),
            ],
        )

    @classmethod
    def execute(cls, picture: str) -> io.NodeOutput:
        return io.NodeOutput(*sample(chosen("picture", picture, bundled.sample_pictures())))


NODES: list[type[io.ComfyNode]] = [FOMM_Runner, FirstOrderMotion_Sample]


class FirstOrderExtension(ComfyExtension):
    """The list of nodes, without those whose id another pack has already taken."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        taken = [node for node in NODES if node.__name__ in taken_ids()]
        for node in taken:
            log.warning(
                "The node %s of another pack is kept; remove the earlier FirstOrderMM pack to use the one of %s.",
                node.__name__,
                Path(__file__).parent.name,
            )
        return [node for node in NODES if node not in taken]


def build_extension() -> FirstOrderExtension:
    """What the entry point hands to ComfyUI."""
    folders.register()
    return FirstOrderExtension()
