"""Common parts of the runner nodes: inputs and outputs, and when they must run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar, cast

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.best_frame import METHODS
from ..animation.engine import PRECISIONS, Engine
from ..animation.framing import FACE, STRETCH, Framing
from ..animation.moving import Source
from ..animation.options import ANCHOR, DRIVING, SOURCE, AnimateOptions
from ..animation.registry import published_names
from ..core.errors import InputError, rename_parameters
from ..core.types import LoadOptions
from ..core.weights.catalog import MODEL_FOLDER
from ..core.weights.find import WeightsRequest
from .images import check_image
from .runtime import folders, weights
from .runtime.parts import part_of
from .runtime.run import run
from .runtime.shared import read_options

CATEGORY = "FirstOrderMM"
OPTIONS = io.Custom("FOM_OPTIONS")
"""Wire from the options node to runners, with a value of `SharedOptions`."""

BY_NAME = "by model_name"
INPUTS = {
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

IF_MISSING = {"error": False, "download": True}

T = TypeVar("T")


def look_up_choice(name: str, value: str, options: Mapping[str, T]) -> T:
    """Look up the value of a menu entry; raises InputError for an unknown one, as the server does not check them."""
    if value not in options:
        raise InputError(f"{name} is {value!r}; choose one of: {', '.join(options)}.")
    return options[value]


@dataclass(frozen=True, slots=True)
class CommonInputs:
    """Values of the inputs that old workflows do not have; each default keeps those workflows' results."""

    checkpoint: str = BY_NAME
    if_missing: str = "error"
    size: int = 0
    antialias: bool = False
    best_frame_by: str = "auto"
    batch_size: int = 0
    precision: str = "auto"
    framing: str = STRETCH

    def request(self, model_name: str) -> WeightsRequest:
        """Make the request for the weights of a published name, or for the file that overrides it."""
        file = "" if self.checkpoint == BY_NAME else self.checkpoint
        return WeightsRequest(model_name, file, look_up_choice("if_missing", self.if_missing, IF_MISSING))

    def options(self, own: AnimateOptions) -> AnimateOptions:
        """Complete a family's own options with these."""
        return replace(own, size=self.size or None, antialias=self.antialias, batch=self.batch_size or None)


DEFAULTS = CommonInputs()


def runner_schema(
    node_id: str, display_name: str, description: str, inputs: list[io.Input], results: list[io.Output] | None = None
) -> io.Schema:
    """Make the schema of a runner; it is told its own place in the prompt, which nobody sees."""
    return io.Schema(
        node_id=node_id,
        display_name=display_name,
        category=CATEGORY,
        description=description,
        inputs=inputs,
        outputs=results or outputs(),
        hidden=[io.Hidden.prompt, io.Hidden.unique_id],
    )


def mark_advanced(widget: io.Input) -> io.Input:
    """Mark an input as advanced, which makes newer frontends fold it away."""
    widget.extra_dict = {"advanced": True}
    return widget


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


def model_name(architecture: str, tooltip: str, optional: bool = False) -> io.Input:
    """Make the menu of an architecture's published weights."""
    options = published_names(architecture)
    return io.Combo.Input("model_name", options=options, default=options[0], optional=optional, tooltip=tooltip)


def find_best_frame(optional: bool = False) -> io.Input:
    """Make the switch of runners that can measure movement from any frame."""
    return io.Boolean.Input(
        "find_best_frame",
        default=False,
        optional=optional,
        tooltip="Measure movement from the frame whose pose is closest to the picture's, not the first.",
    )


def optional_inputs(
    *models: io.Input, advanced: Sequence[io.Input] = (), best_frame: bool = True, fixed_size: bool = False
) -> list[io.Input]:
    """Make the optional inputs: audio, then all that old workflows do not have (see `CommonInputs`).

    `models` are a family's own inputs for choosing weights, `advanced` those folded away under "advanced"; `best_frame`
    is whether the family adds movement to the picture's own, measured from any frame. A network of `fixed_size` offers
    no other.
    """
    sizes = [] if fixed_size else [_size()]
    return [
        io.Audio.Input("audio", optional=True, tooltip="Sound of the driving video; handed on untouched."),
        *models,
        *weight_file(),
        *(mark_advanced(widget) for widget in (*sizes, *advanced, *_runtime_inputs(best_frame))),
        *([_anchor_frame(), mark_advanced(_framing())] if best_frame else []),
        shared_options(),
    ]


def shared_options() -> io.Input:
    """Make the input for the settings that runners share."""
    return OPTIONS.Input(
        "options",
        optional=True,
        tooltip="From Animation Options: strength and smoothing of the movement, fine detail, sources that move, "
        "enhancement.",
    )


def _framing() -> io.Input:
    return io.Combo.Input(
        "framing",
        options=[STRETCH, FACE],
        default=DEFAULTS.framing,
        optional=True,
        tooltip="stretch: the whole picture is animated as a square, as published. face: every face that is found is "
        "animated where it is, and the rest stays as it is; for choices, put Crop Faces and Paste Faces around the "
        "runner instead.",
    )


def _anchor_frame() -> io.Input:
    return io.Image.Input(
        "anchor_frame",
        optional=True,
        tooltip="The frame that movement is measured from, for a clip that is animated in parts: give the first frame "
        "of the whole to all of them. Without it, the first frame of driving_video_input. find_best_frame does "
        "nothing then.",
    )


def weight_file() -> list[io.Input]:
    """Make the inputs that choose a weight file by hand, and the download of a missing one."""
    return [
        io.Combo.Input(
            "checkpoint",
            options=[BY_NAME, *folders.weight_file_names()],
            default=DEFAULTS.checkpoint,
            optional=True,
            tooltip=f"A weight file of your own in models/{MODEL_FOLDER}, instead of the published one by name.",
        ),
        if_missing(optional=True),
    ]


def if_missing(optional: bool = False) -> io.Input:
    """Make the choice of what happens where a weight file is missing."""
    return io.Combo.Input(
        "if_missing",
        options=list(IF_MISSING),
        default=DEFAULTS.if_missing,
        optional=optional,
        tooltip="What to do when the weight file is not there: say where to get it, or download it "
        "(only files whose SHA-256 is published).",
    )


def _size() -> io.Input:
    return io.Int.Input(
        "size",
        default=DEFAULTS.size,
        min=0,
        max=4096,
        step=128,
        optional=True,
        tooltip="Side of the result in pixels; 0 takes the size the weights were trained at.",
    )


def _runtime_inputs(best_frame: bool) -> list[io.Input]:
    return [
        io.Boolean.Input(
            "antialias",
            default=DEFAULTS.antialias,
            optional=True,
            tooltip="Filter while shrinking large pictures: less flicker. Off gives the earlier pack's picture.",
        ),
        *([_best_frame_by()] if best_frame else []),
        batch_size(DEFAULTS.batch_size, "Frames worked on at once; 0 chooses a number that suits model and memory."),
        io.Combo.Input(
            "precision",
            options=list(PRECISIONS),
            default=DEFAULTS.precision,
            optional=True,
            tooltip="Of the networks' heavy layers. float32 is exact; 16 bits are faster on GPUs and hardly show. "
            "auto: as ComfyUI judges the GPU, float32 on the CPU.",
        ),
    ]


def _best_frame_by() -> io.Input:
    return io.Combo.Input(
        "best_frame_by",
        options=list(METHODS),
        default=DEFAULTS.best_frame_by,
        optional=True,
        tooltip="How find_best_frame compares poses: auto takes face landmarks if face-alignment is installed, "
        "else the model's own keypoints, which work for things without a face too.",
    )


def batch_size(default: int, tooltip: str) -> io.Input:
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


class Runner(io.ComfyNode):
    """Base class of nodes that animate with the weights of one architecture."""

    ARCHITECTURE: ClassVar[str]

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = BY_NAME) -> bool | str:
        """Accept any `checkpoint`: naming it switches the list check off, and `execute` explains a missing file."""
        return True

    @classmethod
    def fingerprint_inputs(cls, model_name: str = "", checkpoint: str = BY_NAME, **_: Any) -> str:
        """Return a text that changes with the weight file, so that the node runs again."""
        return weights.fingerprint(
            cls.ARCHITECTURE, CommonInputs(checkpoint).request(model_name or cls.default_model())
        )

    @classmethod
    def default_model(cls) -> str:
        """Return the published weights for workflows without a `model_name`."""
        return next(iter(published_names(cls.ARCHITECTURE)), "")

    @classmethod
    def animate(
        cls,
        own: AnimateOptions,
        load_options: LoadOptions | None = None,
        /,
        *,
        source_image: object,
        driving_video_input: object,
        frame_rate: float,
        model_name: str = "",
        audio: object = None,
        find_best_frame: bool = False,
        anchor_frame: object = None,
        options: object = None,
        **common_inputs: Any,
    ) -> io.NodeOutput:
        """Animate with a family's `own` options, and all other inputs by name as the node got them.

        `source_image` may be a list of several.
        """
        wanted, shared = CommonInputs(**common_inputs), read_options(options)
        with rename_parameters(INPUTS):
            if anchor_frame is not None:
                own = replace(own, anchor=check_image(anchor_frame, ANCHOR))
            own = shared.added_to(own)
            measured = isinstance(own.anchor, Tensor)  # from a frame that was given
            images = run(
                cls.ARCHITECTURE,
                check_images(source_image),
                check_image(driving_video_input, DRIVING),
                wanted.request(model_name or cls.default_model()),
                load_options or LoadOptions(),
                wanted.options(own),
                wanted.best_frame_by if find_best_frame and not measured else None,
                Engine(wanted.precision),
                None if measured else part_of(cls.hidden.prompt, cls.hidden.unique_id),
                Framing(wanted.framing) if wanted.framing != STRETCH else None,
                frame_rate,
                shared,
            )
        return io.NodeOutput(images, audio, frame_rate)


def check_images(source: object) -> Source:
    """Check one source IMAGE, or several in a list."""
    if not isinstance(source, list):
        return check_image(source, SOURCE)
    several = cast("list[object]", source)
    return [check_image(image, SOURCE if i == 1 else f"{SOURCE}_{i}") for i, image in enumerate(several, 1)]
