"""What runners have in common: their inputs and outputs, and when they must run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from comfy_api.v0_0_2 import io

from ..animation.best_frame import METHODS
from ..animation.engine import PRECISIONS
from ..core.errors import InputError
from ..host import folders, weights
from ..loading.choice import WeightsChoice
from ..loading.published import MODEL_FOLDER, names

CATEGORY = "FirstOrderMM"
BY_NAME = "by model_name"
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


def pictures(
    source: str = "The picture to animate. Of a batch, the first is taken.",
    driving: str = "The frames whose motion the picture takes on, in order.",
) -> list[io.Input]:
    """The two pictures every runner starts with, and what they are to it."""
    return [
        io.Image.Input("source_image", tooltip=source),
        io.Image.Input("driving_video_input", tooltip=driving),
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


def outputs(images: str = "The animated picture, one image per driving frame.") -> list[io.Output]:
    """What every runner gives. Ids differ from the inputs' because a node's ids must be unique."""
    return [
        io.Image.Output("images", display_name="images", tooltip=images),
        io.Audio.Output("audio_out", display_name="audio", tooltip="The audio that came in, untouched."),
        io.Float.Output("frame_rate_out", display_name="frame_rate", tooltip="The frame rate that came in."),
    ]


def model_name(architecture: str, tooltip: str, optional: bool = False) -> io.Input:
    """Which published weights."""
    options = names(architecture)
    return io.Combo.Input("model_name", options=options, default=options[0], optional=optional, tooltip=tooltip)


def find_best_frame(optional: bool = False) -> io.Input:
    """Of the runners that can measure movement from any frame."""
    return io.Boolean.Input(
        "find_best_frame",
        default=False,
        optional=optional,
        tooltip="Measure movement from the frame whose pose is closest to the picture's, not the first.",
    )


def optional_inputs(
    *models: io.Input, experts: Sequence[io.Input] = (), best_frame: bool = True, fixed_size: bool = False
) -> list[io.Input]:
    """Audio, then everything that old workflows do not have; each default keeps the old result.

    `models` are a family's own inputs for choosing weights, `experts` those folded away under "advanced";
    `best_frame` is whether the family can measure movement from any frame. A network of `fixed_size` offers no other.
    """
    sizes = [] if fixed_size else [_size()]
    return [
        io.Audio.Input("audio", optional=True, tooltip="Sound of the driving video; handed on untouched."),
        *models,
        *weight_file(),
        *(advanced(widget) for widget in (*sizes, *experts, *_work(best_frame))),
    ]


def weight_file() -> list[io.Input]:
    """The two inputs by which other weights than those found by name are had."""
    return [
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
    ]


def _size() -> io.Input:
    return io.Int.Input(
        "size",
        default=0,
        min=0,
        max=4096,
        step=128,
        optional=True,
        tooltip="Side of the result in pixels; 0 takes the size the weights were trained at.",
    )


def _work(best_frame: bool) -> list[io.Input]:
    return [
        io.Boolean.Input(
            "antialias",
            default=False,
            optional=True,
            tooltip="Filter while shrinking large pictures: less flicker. Off gives the earlier pack's picture.",
        ),
        *([_best_frame_by()] if best_frame else []),
        batch_size(0, "Frames worked on at once; 0 takes as many as pay and fit."),
        io.Combo.Input(
            "precision",
            options=list(PRECISIONS),
            default="auto",
            optional=True,
            tooltip="Of the networks' heavy layers. float32 is exact; 16 bits are faster on GPUs and hardly show. "
            "auto: as ComfyUI judges the GPU, float32 on the CPU.",
        ),
    ]


def _best_frame_by() -> io.Input:
    return io.Combo.Input(
        "best_frame_by",
        options=list(METHODS),
        default="auto",
        optional=True,
        tooltip="How find_best_frame compares poses: auto takes face landmarks if face-alignment is installed, "
        "else the model's own keypoints, which work for things without a face too.",
    )


def batch_size(default: int, tooltip: str) -> io.Input:
    """How many frames are worked on at once; 0 is allowed where it is the default."""
    return io.Int.Input(
        "batch_size",
        default=default,
        min=min(default, 1),
        max=256,
        step=1,
        optional=True,
        tooltip=f"{tooltip} Changes speed and memory only; halved by itself when memory runs out.",
    )


class Runner(io.ComfyNode):
    """A node that animates with the weights of one architecture."""

    ARCHITECTURE: ClassVar[str]

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = BY_NAME) -> bool | str:
        """Named only to switch off the list check: a file that is gone is explained by `execute`."""
        return True

    @classmethod
    def fingerprint_inputs(cls, model_name: str = "", checkpoint: str = BY_NAME, **_: Any) -> str:
        """Run again when the weight file has changed."""
        choice = WeightsChoice(model_name or names(cls.ARCHITECTURE)[0], file_of(checkpoint))
        return weights.fingerprint(cls.ARCHITECTURE, choice)


def weights_choice(model_name: str, checkpoint: str, if_missing: str) -> WeightsChoice:
    """What the three widgets that choose weights say."""
    return WeightsChoice(model_name, file_of(checkpoint), chosen("if_missing", if_missing, IF_MISSING))


def file_of(checkpoint: str) -> str:
    """The file name a checkpoint widget holds, "" for none."""
    return "" if checkpoint == BY_NAME else checkpoint
