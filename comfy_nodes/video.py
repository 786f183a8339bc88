"""Node that animates from file to file: a picture or a video, by a video, into a video."""

from __future__ import annotations

from functools import partial

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.faces.face import ALL, Face, faces_from_text
from ..animation.framing import AUTO, FRAMINGS, FaceOptions, Framing
from ..animation.options import DRIVING, SOURCE
from ..core.errors import InputError, rename_parameters
from . import inputs, model_menu
from .images import Video, check_image, check_video
from .runtime.shared import read_options
from .runtime.video import animate_video
from .runtime.videos import video_of
from .schema import ANIMATE_WORDS, make_schema, mark_advanced

INPUTS = {**inputs.RUNNER_INPUTS, "driving": "driving_video"}


def _faces() -> list[io.Input]:
    texts = {
        "faces": (ALL, "Which faces are animated: all, largest, or numbers from left to right such as 0,2."),
        "boxes": ("", "The source's faces, instead of a detector: [[left, top, right, bottom], ...] in pixels."),
        "driving_boxes": ("", "The same for the driving video, whose faces then stay in these boxes."),
    }
    return [
        mark_advanced(io.String.Input(name, default=default, optional=True, tooltip=tooltip))
        for name, (default, tooltip) in texts.items()
    ]


class FirstOrderMotion_AnimateVideo(model_menu.ModelNode):
    """Node that makes a video of a picture, or of a video, and a driving video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_AnimateVideo",
            display_name="Animate Video (Lip Sync by Video)",
            description="Animates a portrait, or a video, with the motion of a video, by any model: a talking head "
            "in one node. Reads and writes files frame by frame, with sound, in memory that does not grow.",
            aliases=[*ANIMATE_WORDS, "video to video"],
            inputs=[
                io.Video.Input(
                    "driving_video", tooltip="The video whose motion is taken on, and whose sound and times are kept."
                ),
                *model_menu.model_inputs(),
                io.Combo.Input(
                    "framing",
                    options=list(FRAMINGS),
                    default=AUTO,
                    tooltip="face: every face that is found is animated where it is, and the rest stays. stretch: the "
                    "whole picture is animated, as a square. auto: the faces of pictures that are not square.",
                ),
                io.Image.Input(
                    "source_image",
                    optional=True,
                    tooltip="The picture to animate; or give source_video. Of a batch the first is taken, unless "
                    "Animation Options says that it moves.",
                ),
                io.Video.Input(
                    "source_video", optional=True, tooltip="A video to animate, frame by frame, instead of a picture."
                ),
                inputs.shared_options(),
                *_faces(),
            ],
            outputs=[io.Video.Output("video", display_name="video", tooltip="The result, for Save Video.")],
        )

    @classmethod
    def execute(
        cls,
        driving_video: object,
        model: str,
        if_missing: str,
        framing: str,
        source_image: object = None,
        source_video: object = None,
        options: object = None,
        faces: str = ALL,
        boxes: str = "",
        driving_boxes: str = "",
    ) -> io.NodeOutput:
        names = INPUTS if source_video is None else INPUTS | {"source": "source_video"}
        with rename_parameters(names):
            path = animate_video(
                _only_source(source_image, source_video),
                check_video(driving_video, DRIVING),
                partial(model_menu.find_files, model, if_missing),
                Framing(
                    framing,
                    options=FaceOptions(faces=faces),
                    boxes=_read("boxes", boxes),
                    driving_boxes=_read("driving_boxes", driving_boxes),
                ),
                read_options(options),
            )
        return io.NodeOutput(video_of(path))


def _read(name: str, boxes: str) -> list[Face] | None:
    """Read the boxes of an input by its name; None where it is empty."""
    with rename_parameters({"boxes": name}):
        return faces_from_text(boxes) if boxes.strip() else None


def _only_source(image: object, video: object) -> Tensor | Video:
    """Return the one source that was given; raises InputError for none and for two."""
    if (image is None) == (video is None):
        given = "neither" if image is None else "both"
        raise InputError(f"source_image or source_video was wanted, and {given} came. Wire one of them.")
    return check_image(image, SOURCE) if image is not None else check_video(video, SOURCE)
