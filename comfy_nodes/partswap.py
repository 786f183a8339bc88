"""Runner node of Part Swap."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from ..animation.framing import STRETCH
from ..animation.options import DRIVING, SOURCE, AnimateOptions
from ..core.errors import InputError, rename_parameters
from ..core.types import LoadOptions
from ..core.weights.find import WeightsRequest
from ..face_parsing.classes import DEFAULT, chosen_classes
from . import inputs
from .images import check_image
from .runner import CommonInputs, Runner, optional_inputs, request, runner_schema
from .runtime import weights
from .runtime.partswap import PARSER, PARSER_NAME, SwapSettings, run_swap
from .runtime.shared import read_options

# In the order of the earlier pack, whose default was not its first.
MODELS = ["vox-5segments", "vox-10segments", "vox-15segments", "vox-cpk", "vox-adv-cpk", "vox-first-order"]
PARSER_MASKS = {"sharp": False, "smooth": True}


def _swap_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "blend_scale",
            default=1.0,
            min=0.6,
            max=1.0,
            step=0.01,
            tooltip="Blurs the mask. In this range that is next to nothing: no effect from 0.8 up, below it a 3x3 "
            "blur whose neighbours weigh a hundredth or less. For soft edges turn hard_edges off.",
        ),
        io.Boolean.Input(
            "use_source_seg",
            default=True,
            tooltip="On: the parts are cut out of the picture and moved to the video's pose. Off: the video's own "
            "parts are filled with what the picture shows there.",
        ),
        io.Boolean.Input(
            "hard_edges",
            default=False,
            tooltip="On: a pixel is swapped or not. Off: parts fade into each other.",
        ),
        io.Boolean.Input(
            "use_face_parser",
            default=False,
            tooltip="Choose by a face parser (79999_iter.pth) instead of the learnt segments; face_parts then says "
            "what is swapped. vox-cpk and vox-adv-cpk need it.",
        ),
        io.String.Input(
            "chosen_seg_indices",
            default="",
            tooltip="Parts to swap, from a segment chooser: numbers such as 1_2_5, or names with commas. Of no "
            "meaning with use_face_parser.",
        ),
        io.Float.Input(
            "viz_alpha",
            default=0.6,
            min=0.0,
            max=1.0,
            step=0.1,
            tooltip="How strongly the segments' colours cover the pictures that show them.",
        ),
    ]


def _parser_inputs() -> list[io.Input]:
    return [
        io.String.Input(
            "face_parts",
            default=DEFAULT,
            optional=True,
            tooltip="With use_face_parser: what is swapped. Names with commas (hair, hat, eyes, eyebrows, nose, mouth, "
            "ears, neck, cloth, skin, face, head), numbers such as 17_18, or a wire from Face Parts Chooser.",
        ),
        *inputs.folded(
            io.Boolean.Input(
                "segments_of_every_frame",
                default=True,
                optional=True,
                tooltip="Off: seg_frames holds the first frame only, which saves as much memory as the result takes.",
            )
        ),
    ]


def _advanced() -> list[io.Input]:
    return [
        io.Combo.Input(
            "parser_mask",
            options=list(PARSER_MASKS),
            default="sharp",
            optional=True,
            tooltip="sharp: every eighth pixel of the parser's answer, as the earlier pack took it. smooth: blurred "
            "first, as the published tool does, which flickers less; blend_scale then has no effect.",
        ),
    ]


class FOMM_Partswap(Runner):
    """Runner node of Part Swap."""

    ARCHITECTURE = "partswap"

    @classmethod
    def define_schema(cls) -> io.Schema:
        audio, *more = optional_inputs(
            *_parser_inputs(),
            missing=inputs.if_missing("partswap", PARSER, optional=True),
            advanced=_advanced(),
            best_frame=False,
        )
        return runner_schema(
            node_id="FOMM_Partswap",
            display_name="FOMM Partswap (Face Swap)",
            description="Face swap, whole or in parts: gives the face in a video chosen parts of a picture's face, "
            "such as hair, eyes or mouth (Motion Supervised Co-Part Segmentation).",
            aliases=["face swap", "swap face", "faceswap", "part swap", "portrait", "face mask", "bisenet", "puppet"],
            inputs_=[
                *inputs.pictures(
                    "The picture whose parts are taken. Of a batch, the first.",
                    "The frames that get them; all else stays as it is in them.",
                ),
                inputs.model_name(
                    "partswap",
                    "Which weights: with 5, 10 or 15 learnt segments, each with its own chooser, or FOMM's, which need "
                    "use_face_parser.",
                    MODELS,
                    "vox-10segments",
                ),
                inputs.frame_rate(),
                *_swap_inputs(),
                audio,
                *more,
            ],
            results=[
                io.Image.Output(
                    "seg_src_viz", display_name="seg_src_viz", tooltip="The picture's segments, with a legend."
                ),
                io.Image.Output(
                    "seg_tgt_viz", display_name="seg_tgt_viz", tooltip="The first frame's segments, with a legend."
                ),
                *inputs.outputs("The video with the parts swapped, one image per frame."),
                io.Image.Output(
                    "seg_frames", display_name="seg_frames", tooltip="Every frame's segments, without a legend."
                ),
                io.Mask.Output(
                    "masks",
                    display_name="masks",
                    tooltip="Where the picture shows, frame by frame: 1 is the picture.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(
        cls,
        model_name: str | None = "",
        checkpoint: str | None = inputs.BY_NAME,
        if_missing: str | None = "error",
        use_face_parser: bool | None = False,
    ) -> bool:
        """Check that weights are there, the face parser's too where it is wanted; see `Runner`."""
        if model_name is None or checkpoint is None or if_missing is None:
            return True
        own = request(cls.ARCHITECTURE, model_name or cls.default_model(), checkpoint, if_missing)
        parser = [(PARSER, WeightsRequest(PARSER_NAME, download=own.download))] if use_face_parser else []
        return weights.check_there((cls.ARCHITECTURE, own), *parser)

    @classmethod
    def fingerprint_inputs(
        cls, model_name: str = "", checkpoint: str = inputs.BY_NAME, use_face_parser: bool = False, **_: Any
    ) -> str:
        """Return a text that changes with either weight file, so that the node runs again."""
        own = super().fingerprint_inputs(model_name, checkpoint)
        return own + weights.fingerprint(PARSER, WeightsRequest(PARSER_NAME)) if use_face_parser else own

    @classmethod
    def execute(
        cls,
        source_image: Any,
        driving_video_input: Any,
        model_name: str,
        frame_rate: float,
        blend_scale: float,
        use_source_seg: bool,
        hard_edges: bool,
        use_face_parser: bool,
        chosen_seg_indices: Any,
        viz_alpha: float,
        audio: Any = None,
        face_parts: str = DEFAULT,
        segments_of_every_frame: bool = True,
        parser_mask: str = "sharp",
        options: object = None,
        **common_inputs: Any,
    ) -> io.NodeOutput:
        wanted, shared = CommonInputs(**common_inputs), read_options(options)
        own = wanted.request(cls.ARCHITECTURE, model_name)
        working = shared.runner or wanted
        if working.framing != STRETCH:
            raise InputError("goes with other runners. Put Crop Faces and Paste Faces around this one.", "framing")
        settings = SwapSettings(
            chosen_seg_indices,
            chosen_classes(face_parts) if use_face_parser else None,
            use_source_seg,
            hard_edges,
            blend_scale,
            inputs.look_up_choice("parser_mask", parser_mask, PARSER_MASKS),
            viz_alpha,
            segments_of_every_frame,
        )
        with rename_parameters(inputs.RUNNER_INPUTS):
            swapped = run_swap(
                check_image(source_image, SOURCE),
                check_image(driving_video_input, DRIVING),
                own,
                WeightsRequest(PARSER_NAME, download=own.download),
                LoadOptions(),
                wanted.added_to(AnimateOptions()),
                settings,
                working.engine(),
                shared,
            )
        return io.NodeOutput(
            swapped.source, swapped.first_target, swapped.images, audio, frame_rate, swapped.targets, swapped.masks
        )
