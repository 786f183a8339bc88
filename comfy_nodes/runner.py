"""Base class of the runner nodes, and what their inputs amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..animation.framing import STRETCH, Framing
from ..animation.moving import Source
from ..animation.options import ANCHOR, DRIVING, SOURCE, AnimateOptions
from ..animation.registry import published_names
from ..core.errors import rename_parameters
from ..core.types import LoadOptions
from ..core.weights.find import WeightsRequest
from . import inputs
from .images import check_image
from .inputs import BY_NAME, IF_MISSING, RUNNER_INPUTS, look_up_choice
from .runtime import weights
from .runtime.parts import part_of
from .runtime.run import run
from .runtime.shared import RunnerSettings, read_options
from .schema import ANIMATE_WORDS, Node, make_schema


@dataclass(frozen=True, slots=True)
class CommonInputs(RunnerSettings):
    """Values of the inputs that old workflows do not have; each default keeps those workflows' results."""

    checkpoint: str = BY_NAME
    if_missing: str = "error"

    def request(self, architecture: str, model_name: str) -> WeightsRequest:
        """Make the request for the weights that a menu or the file that goes before it names."""
        return request(architecture, model_name, self.checkpoint, self.if_missing)


def request(architecture: str, model_name: str, checkpoint: str, if_missing: str) -> WeightsRequest:
    """Make the request for weights: a published name, or a file's name in either menu; see `CommonInputs`."""
    file = "" if checkpoint == BY_NAME else checkpoint
    if not file and model_name not in published_names(architecture):
        file = model_name
    return WeightsRequest(model_name, file, look_up_choice("if_missing", if_missing, IF_MISSING))


def runner_schema(
    node_id: str,
    display_name: str,
    description: str,
    inputs_: Sequence[io.Input],
    results: list[io.Output] | None = None,
    aliases: Sequence[str] = ANIMATE_WORDS,
) -> io.Schema:
    """Make the schema of a runner; it is told its own place in the prompt, which nobody sees."""
    return make_schema(
        node_id,
        display_name,
        description,
        inputs_,
        results or inputs.outputs(),
        aliases,
        hidden=[io.Hidden.prompt, io.Hidden.unique_id],
    )


def optional_inputs(
    *models: io.Input,
    missing: io.Input,
    advanced: Sequence[io.Input] = (),
    best_frame: bool = True,
    fixed_size: bool = False,
) -> list[io.Input]:
    """Make the optional inputs: audio, then all that old workflows do not have, in the order in which they store it.

    `models` are a family's own inputs for choosing weights, `missing` the choice about missing ones, `advanced` a
    family's inputs that are folded away; `best_frame` is whether the family adds movement to the picture's own,
    measured from any frame. A network of `fixed_size` offers no other.
    """
    sizes = [] if fixed_size else [inputs.size()]
    compared = [inputs.best_frame_by()] if best_frame else []
    runtime = [inputs.antialias(), *compared, inputs.batch_size(), inputs.precision()]
    return [
        inputs.audio(),
        *models,
        *inputs.folded(inputs.checkpoint()),
        missing,
        *inputs.folded(*sizes, *advanced, *runtime),
        *([inputs.anchor_frame(), *inputs.folded(inputs.framing())] if best_frame else []),
        inputs.shared_options(),
    ]


class Runner(Node):
    """Base class of nodes that animate with the weights of one architecture."""

    ARCHITECTURE: ClassVar[str]

    @classmethod
    def validate_inputs(
        cls, model_name: str | None = "", checkpoint: str | None = BY_NAME, if_missing: str | None = "error"
    ) -> bool:
        """Check that weights are there, before anything is decoded; naming inputs switches list checks off."""
        if model_name is None or checkpoint is None or if_missing is None:
            return True  # comes over a wire, once other nodes have run
        name = model_name or cls.default_model()
        return weights.check_there((cls.ARCHITECTURE, request(cls.ARCHITECTURE, name, checkpoint, if_missing)))

    @classmethod
    def fingerprint_inputs(cls, model_name: str = "", checkpoint: str = BY_NAME, **_: Any) -> str:
        """Return a text that changes with the weight file, so that the node runs again."""
        wanted = request(cls.ARCHITECTURE, model_name or cls.default_model(), checkpoint, "error")
        return weights.fingerprint(cls.ARCHITECTURE, wanted)

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
        settings = shared.runner or wanted
        with rename_parameters(RUNNER_INPUTS):
            if anchor_frame is not None:
                own = replace(own, anchor=check_image(anchor_frame, ANCHOR))
            own = shared.added_to(wanted.added_to(own))
            measured = isinstance(own.anchor, Tensor)  # from a frame that was given
            images = run(
                cls.ARCHITECTURE,
                check_images(source_image),
                check_image(driving_video_input, DRIVING),
                wanted.request(cls.ARCHITECTURE, model_name or cls.default_model()),
                load_options or LoadOptions(),
                own,
                settings.best_frame_by if find_best_frame and not measured else None,
                settings.engine(),
                None if measured else part_of(cls.hidden.prompt, cls.hidden.unique_id),
                Framing(settings.framing) if settings.framing != STRETCH else None,
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
