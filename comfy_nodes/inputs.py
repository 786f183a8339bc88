"""Inputs and outputs that nodes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from comfy_api.v0_0_2 import io

from ..animation.best_frame import METHODS
from ..animation.engine import PRECISIONS
from ..animation.framing import FACE, STRETCH
from ..animation.registry import published_names
from ..core.errors import InputError
from ..core.weights.catalog import MODEL_FOLDER
from .runtime import folders, weights
from .runtime.shared import RunnerSettings
from .schema import OPTIONS, mark_advanced

BY_NAME = "by model_name"
IF_MISSING = {"error": False, "download": True}
DEFAULTS = RunnerSettings()

RUNNER_INPUTS = {
    "source": "source_image",
    "source_1": "source_image",
    "source_2": "source_image_2",
    "driving": "driving_video_input",
    "anchor": "anchor_frame",
    "batch": "batch_size",
    "max_pixels": "max_num_pixels",
    "best_frame": "best_frame_by",
    "parts": "chosen_seg_indices",
}
"""Input ids by the names of lower layers' parameters."""

T = TypeVar("T")


def look_up_choice(name: str, value: str, options: Mapping[str, T]) -> T:
    """Look up the value of a menu entry; raises InputError for an unknown one, as the server does not check them."""
    if value not in options:
        raise InputError(f"is {value!r}; choose one of: {', '.join(options)}.", name)
    return options[value]


def pictures(
    source: str = "The picture to animate. Of a batch, the first is taken.",
    driving: str = "The frames whose motion the picture takes on, in order.",
) -> list[io.Input]:
    """Make the two picture inputs that every runner begins with; the texts are their tooltips."""
    return [
        io.Image.Input("source_image", tooltip=source),
        io.Image.Input("driving_video_input", tooltip=driving),
    ]


def frame_rate() -> io.Input:
    """Make the frame rate input, which is passed through so that the saver can be wired to the runner alone."""
    return io.Float.Input(
        "frame_rate",
        default=30.0,
        min=0.01,
        max=1000.0,
        step=0.001,
        tooltip="Frames per second of the driving video; handed on unchanged.",
    )


def outputs(images: str = "The animated picture, one image per driving frame.") -> list[io.Output]:
    """Make the outputs of every runner. Ids differ from the inputs' because a node's ids must be unique."""
    return [
        io.Image.Output("images", display_name="images", tooltip=images),
        io.Audio.Output("audio_out", display_name="audio", tooltip="The audio that came in, untouched."),
        io.Float.Output("frame_rate_out", display_name="frame_rate", tooltip="The frame rate that came in."),
    ]


def audio() -> io.Input:
    """Make the input for the sound, which stored workflows have as the first optional one."""
    return io.Audio.Input("audio", optional=True, tooltip="Sound of the driving video; handed on untouched.")


def model_name(
    architecture: str, tooltip: str, names: Iterable[str] = (), default: str = "", optional: bool = False
) -> io.Input:
    """Make the menu of an architecture's weights: the published ones by name, then files of the user's own.

    A new node begins with `default`, or where that is not there, with the first weights that are. An optional menu
    is newer than some stored workflows, which get its default: that one stays the same whatever files there are.
    """
    published = list(names) or published_names(architecture)
    default = default or published[0]
    return io.Combo.Input(
        "model_name",
        options=[*published, *folders.own_weight_files()],
        default=default if optional else weights.first_present(architecture, [default, *published]) or default,
        optional=optional,
        tooltip=f"{tooltip} Files of your own in models/{MODEL_FOLDER} are listed too.",
    )


def find_best_frame(optional: bool = False) -> io.Input:
    """Make the switch of runners that can measure movement from any frame."""
    return io.Boolean.Input(
        "find_best_frame",
        default=False,
        optional=optional,
        tooltip="Measure movement from the frame whose pose is closest to the picture's, not the first.",
    )


def shared_options() -> io.Input:
    """Make the input for the settings that runners share."""
    return OPTIONS.Input(
        "options",
        optional=True,
        tooltip="From Animation Options (strength and smoothing of the movement, fine detail, sources that move, "
        "enhancement) or Runner Options (size, framing, precision, batches).",
    )


def checkpoint() -> io.Input:
    """Make the menu of weight files in which stored workflows hold a file of the user's own."""
    return io.Combo.Input(
        "checkpoint",
        options=[BY_NAME, *folders.weight_file_names()],
        default=BY_NAME,
        optional=True,
        tooltip=f"A weight file in models/{MODEL_FOLDER} that goes before model_name.",
    )


def if_missing(*architectures: str, optional: bool = False) -> io.Input:
    """Make the choice of what happens where a weight file is missing.

    Where nothing of the architectures can be downloaded there is no choice, and the input is there for stored values.
    """
    possible = weights.downloadable(*architectures)
    widget = io.Combo.Input(
        "if_missing",
        options=list(IF_MISSING) if possible else ["error"],
        default="error",
        optional=optional,
        tooltip="What to do when a weight file is not there: say where to get it, or download it. "
        f"Can be downloaded: {', '.join(possible)}."
        if possible
        else "The weights of this node cannot be downloaded from here; where one is missing, it says where to get it.",
    )
    if not possible:
        widget.extra_dict = {"advanced": True, "hidden": True}
    return widget


def anchor_frame() -> io.Input:
    """Make the input for the frame that movement is measured from."""
    return io.Image.Input(
        "anchor_frame",
        optional=True,
        tooltip="The frame that movement is measured from, for a clip that is animated in parts: give the first frame "
        "of the whole to all of them. Without it, the first frame of driving_video_input. find_best_frame does "
        "nothing then.",
    )


def framing() -> io.Input:
    """Make the choice between the whole picture and the faces in it."""
    return io.Combo.Input(
        "framing",
        options=[STRETCH, FACE],
        default=DEFAULTS.framing,
        optional=True,
        tooltip="stretch: the whole picture is animated as a square, as published. face: every face that is found is "
        "animated where it is, and the rest stays as it is; for choices, put Crop Faces and Paste Faces around the "
        "runner instead.",
    )


def size() -> io.Input:
    """Make the input for the side of the result."""
    return io.Int.Input(
        "size",
        default=DEFAULTS.size,
        min=0,
        max=4096,
        step=64,
        optional=True,
        tooltip="Side of the result in pixels; 0 takes the size the weights were trained at, which looks best. "
        "Otherwise a multiple of 128 (drawn-faces: 64).",
    )


def antialias() -> io.Input:
    """Make the switch for filtering."""
    return io.Boolean.Input(
        "antialias",
        default=DEFAULTS.antialias,
        optional=True,
        tooltip="Filter while shrinking large pictures: less flicker. Off gives the earlier pack's picture.",
    )


def best_frame_by() -> io.Input:
    """Make the choice of how poses are compared."""
    return io.Combo.Input(
        "best_frame_by",
        options=list(METHODS),
        default=DEFAULTS.best_frame_by,
        optional=True,
        tooltip="How find_best_frame compares poses: auto takes face landmarks if face-alignment is installed, "
        "else the model's own keypoints, which work for things without a face too.",
    )


def batch_size(
    default: int = 0, tooltip: str = "Frames worked on at once; 0 chooses a number that suits model and memory."
) -> io.Input:
    """Make the input for the number of frames worked on at once; 0 is allowed where it is the default."""
    return io.Int.Input(
        "batch_size",
        default=default,
        min=min(default, 1),
        max=256,
        step=1,
        optional=True,
        tooltip=f"{tooltip} Changes speed and memory only; halved by itself when memory runs out.",
    )


def precision() -> io.Input:
    """Make the choice of how many bits the networks' heavy layers take."""
    return io.Combo.Input(
        "precision",
        options=list(PRECISIONS),
        default=DEFAULTS.precision,
        optional=True,
        tooltip="Of the networks' heavy layers. float32 is exact; 16 bits are faster on GPUs and hardly show. "
        "auto: as ComfyUI judges the GPU, float32 on the CPU.",
    )


def folded(*widgets: io.Input) -> list[io.Input]:
    """Fold inputs away; the interface shows those of a stored workflow whose values are not the defaults."""
    return [mark_advanced(widget) for widget in widgets]
