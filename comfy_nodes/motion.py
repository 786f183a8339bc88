"""Nodes that read motion off a video, save, load and mix it, and animate by it."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from ..animation.motion.mix import mix
from ..animation.motion.track import MotionTrack
from ..animation.options import DRIVING, SOURCE
from ..core.errors import InputError, rename_parameters
from . import inputs, model_menu
from .images import check_image, check_video
from .runtime import motion as work
from .runtime.shared import read_options
from .schema import ANIMATE_WORDS, Node, make_schema

MOTION = io.Custom("FOM_MOTION")
MOST_FRAMES = 10**6


def _motion_output() -> io.Output:
    return MOTION.Output("motion_out", display_name="motion", tooltip="The motion, for Animate by Motion and others.")


def _check_motion(value: object, name: str) -> MotionTrack:
    """Return what is wired into an input for motion; raises InputError for anything else."""
    if not isinstance(value, MotionTrack):
        raise InputError(f"is a {type(value).__name__}; motion was wanted. Wire Read Motion or Load Motion here.", name)
    return value


class FirstOrderMotion_ReadMotion(model_menu.ModelNode):
    """Node that reads the motion of a video once, to animate any number of pictures by it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_ReadMotion",
            display_name="Read Motion (Motion Capture)",
            description="Reads the motion of a video as a model sees it, frame by frame: small enough to keep, to mix, "
            "and to animate any picture by without the video.",
            aliases=["read motion", "motion capture", "puppet", "motion transfer"],
            inputs=[
                io.Video.Input("driving_video", tooltip="The video whose motion is read."),
                *model_menu.model_inputs(),
            ],
            outputs=[
                _motion_output(),
                io.Int.Output("frames", display_name="frames", tooltip="The number of frames."),
                io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second."),
            ],
        )

    @classmethod
    def execute(cls, driving_video: object, model: str, if_missing: str) -> io.NodeOutput:
        with rename_parameters({DRIVING: "driving_video"}):
            video = check_video(driving_video, DRIVING)
            motion = work.read_motion(video, model_menu.find_files(model, if_missing))
        return io.NodeOutput(motion, len(motion), float(motion.fps))


class FirstOrderMotion_SaveMotion(Node):
    """Node that saves motion as a file in the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_SaveMotion",
            display_name="Save Motion",
            description="Saves motion as a file in ComfyUI's output folder, for Load Motion.",
            aliases=["save motion", "motion file"],
            inputs=[
                MOTION.Input("motion", tooltip="From Read Motion or Mix Motions."),
                io.String.Input(
                    "filename_prefix",
                    default=f"{work.FOLDER}/ComfyUI",
                    tooltip="How the name begins, inside the output folder; a number follows.",
                ),
            ],
            outputs=[
                _motion_output(),
                io.String.Output("file", display_name="file", tooltip="The file's name, as Load Motion shows it."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion: object, filename_prefix: str) -> io.NodeOutput:
        track = _check_motion(motion, "motion")
        return io.NodeOutput(track, work.save_motion(track, filename_prefix))


class FirstOrderMotion_LoadMotion(Node):
    """Node that loads a file of motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        files = work.motion_files()
        return make_schema(
            node_id="FirstOrderMotion_LoadMotion",
            display_name="Load Motion",
            description="Loads motion that Save Motion or the command line saved. It fits the weights that read it.",
            aliases=["load motion", "motion file"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=files,
                    default=next(iter(files), ""),
                    tooltip="A file in ComfyUI's input or output folder, or in their subfolder motion. Press R after "
                    "saving one.",
                )
            ],
            outputs=[
                _motion_output(),
                io.Int.Output("frames", display_name="frames", tooltip="The number of frames."),
                io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        """Accept any `file`: naming it switches the list check off, and `execute` explains a missing one."""
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str = "") -> str:
        """Return a text that changes with the file, so that the node runs again."""
        return work.stamp_of(file)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        with rename_parameters({"motion_file": "file"}):
            motion = work.load_motion(file)
        return io.NodeOutput(motion, len(motion), float(motion.fps))


class FirstOrderMotion_MixMotions(Node):
    """Node that joins the head's motion of one clip with the expression of another."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        anchors = {
            "head_anchor": "The frame of the first in which its face is at rest: the head's movement counts from it.",
            "expression_anchor": "The frame of the second in which its face is at rest.",
        }
        return make_schema(
            node_id="FirstOrderMotion_MixMotions",
            display_name="Mix Motions",
            description="Joins the movement of the head in one clip with the expression in another. The same weights "
            "must have read both.",
            aliases=["mix motion", "head and expression", "expression"],
            inputs=[
                MOTION.Input("head", tooltip="Whose head moves: turning, size and place."),
                MOTION.Input("expression", tooltip="Whose mouth, eyes and brows move. Held where it is shorter."),
                *(
                    io.Int.Input(name, default=0, min=0, max=MOST_FRAMES, step=1, optional=True, tooltip=tooltip)
                    for name, tooltip in anchors.items()
                ),
            ],
            outputs=[_motion_output()],
        )

    @classmethod
    def execute(
        cls, head: object, expression: object, head_anchor: int = 0, expression_anchor: int = 0
    ) -> io.NodeOutput:
        tracks = _check_motion(head, "head"), _check_motion(expression, "expression")
        return io.NodeOutput(mix(*tracks, head_anchor, expression_anchor))


class FirstOrderMotion_AnimateByMotion(model_menu.ModelNode):
    """Node that animates a picture by motion that was read before."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="FirstOrderMotion_AnimateByMotion",
            display_name="Animate by Motion",
            description="Animates a picture by motion from Read Motion, Load Motion or Mix Motions, without the video.",
            aliases=ANIMATE_WORDS,
            inputs=[
                io.Image.Input(
                    "source_image",
                    tooltip="The picture to animate. Of a batch the first is taken, unless Animation Options says that "
                    "it moves.",
                ),
                MOTION.Input("motion", tooltip="The motion that it takes on."),
                *model_menu.model_inputs(),
                inputs.shared_options(),
            ],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="The animated picture, frame by frame."),
                io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second of the motion."),
            ],
        )

    @classmethod
    def execute(
        cls, source_image: object, motion: object, model: str, if_missing: str, options: object = None
    ) -> io.NodeOutput:
        with rename_parameters(inputs.RUNNER_INPUTS | {DRIVING: "motion"}):
            track = _check_motion(motion, "motion")
            source, shared = check_image(source_image, SOURCE), read_options(options)
            images = work.animate_by(source, track, model_menu.find_files(model, if_missing), shared)
        return io.NodeOutput(images, float(track.fps))
