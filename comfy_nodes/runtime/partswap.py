"""Work of the Part Swap and face parsing nodes: find and load weights, run, fill output tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ...animation.engine import Engine
from ...animation.frames import FrameFormat, TensorClip
from ...animation.media.segment_picture import overlaid, with_legend
from ...animation.motion.clips import back_and_forth
from ...animation.moving import result_frames
from ...animation.options import DRIVING, SOURCE, AnimateOptions, first_picture, working_size
from ...animation.parse_faces import parse_faces
from ...core.errors import InputError
from ...core.layers.grid import resize_map
from ...core.types import MASK, Animator, LoadOptions
from ...core.weights.find import WeightsRequest
from ...face_parsing.architecture import FACE_PARSING
from ...face_parsing.classes import NAMES
from ...face_parsing.parser import MASK_SIZE, SIZE, FaceParser
from ...module_partswap.animator import PartSwapAnimator
from ...module_partswap.architecture import PARTSWAP
from ...module_partswap.parts import chosen_parts, part_names
from ...module_partswap.swap import Swap
from . import models, notes, progress, weights
from .run import checked_clip, collect
from .shared import SharedOptions

PARSER, PARSER_NAME = FACE_PARSING.id, FACE_PARSING.published[0].name


@dataclass(frozen=True, slots=True)
class SwapSettings:
    """Settings of the swap itself, as the node's widgets give them.

    `chosen` is the stored value of chosen_seg_indices; `classes`, if not None, are the parser's classes to swap
    instead. `smooth` blurs its mask instead of picking single pixels. `alpha` is the colours' share in the segment
    pictures; `every_frame` is whether every frame gets one.
    """

    chosen: object
    classes: tuple[int, ...] | None
    from_source: bool
    hard_edges: bool
    blend_scale: float
    smooth: bool
    alpha: float
    every_frame: bool


@dataclass(frozen=True, slots=True)
class Swapped:
    """Results of a swap: `images`, IMAGE (N, side, side, 3), and `masks`, MASK (N, side, side), of where the source
    shows in them. IMAGEs of segments: `source` and `first_target` with a legend, `targets` (every frame's) without.
    """

    source: Tensor
    first_target: Tensor
    images: Tensor
    targets: Tensor
    masks: Tensor


def run_swap(
    source: Tensor,
    driving: Tensor,
    request: WeightsRequest,
    parser_request: WeightsRequest,
    load_options: LoadOptions,
    options: AnimateOptions,
    settings: SwapSettings,
    engine: Engine,
    shared: SharedOptions | None = None,
) -> Swapped:
    """Swap parts inside ComfyUI."""
    shared = shared or SharedOptions()
    if shared.enhancer is not None:
        raise InputError("goes with other runners. Put Upscale Image (using Model) behind this one.", "upscale_model")
    options = shared.added_to(options)
    notes.say_what_is_ignored(source, "source_image", shared.batch_moves)
    clip = checked_clip(source, driving[back_and_forth(len(driving))] if shared.ping_pong else driving, options)
    moving = shared.source(source)
    files, parser, parser_files = weights.find(PARTSWAP.id, request), None, None
    if settings.classes is None:
        predictor = models.get_predictor(files, load_options, engine, options)
    else:
        parser_files = weights.find(PARSER, parser_request)
        predictor, parser = models.get_with_parser(files, load_options, engine, parser_files, options)
    loaded = predictor.animator
    assert isinstance(loaded, PartSwapAnimator)
    swap = _swap(settings, loaded, parser)
    predictor = predictor.adapted(partial(_with_swap, swap), [] if parser_files is None else [parser_files.path.name])
    animator, device = predictor.animator, predictor.device
    side = working_size(animator, options)
    format_ = FrameFormat((side, side), device, options.antialias)
    names = part_names(loaded.config.num_segments) if parser is None else NAMES
    first: list[Tensor] = []  # segment pictures of the source and of the first frame

    def rows() -> Iterator[tuple[Tensor, ...]]:
        done = 0
        for batch in predictor.animate_mapped(moving, clip, options, progress.hooks()):
            frames = format_.convert(clip.images[done : done + len(batch.pictures)], DRIVING)
            done += len(frames)
            if not first:
                picture = format_.convert(first_picture(source), SOURCE)
                first.append(overlaid(picture, batch.maps["source"], settings.alpha))
                first.append(overlaid(frames[:1], batch.maps["target"][:1], settings.alpha))
            kinds = [batch.pictures.movedim(1, -1), resize_map(batch.maps[MASK], (side, side))[:, 0]]
            if settings.every_frame:
                kinds.append(overlaid(frames, batch.maps["target"], settings.alpha).movedim(1, -1))
            yield tuple(kinds)

    images, masks, *targets = collect(rows(), result_frames(moving, clip, options.moving))
    return Swapped(
        source=_with_legend(first[0][0], names, images),
        first_target=_with_legend(first[1][0], names, images),
        images=images,
        targets=targets[0] if targets else first[1].movedim(1, -1).to(images),
        masks=masks,
    )


def _with_swap(swap: Swap, animator: Animator) -> Animator:
    assert isinstance(animator, PartSwapAnimator)  # as all that are loaded here
    return animator.with_swap(swap)


def _with_legend(picture: Tensor, names: Sequence[str], like: Tensor) -> Tensor:
    return with_legend(picture, names).movedim(0, -1)[None].to(like)


def _swap(settings: SwapSettings, animator: PartSwapAnimator, parser: FaceParser | None) -> Swap:
    """Make the swap that the settings describe for these weights; raises InputError where nothing is chosen."""
    if parser is None or settings.classes is None:
        chosen = chosen_parts(settings.chosen, animator.config.num_segments)
        return Swap(chosen, settings.from_source, settings.hard_edges, settings.blend_scale)
    if settings.smooth:
        return Swap(
            settings.classes,
            settings.from_source,
            settings.hard_edges,
            MASK_SIZE / SIZE,
            parser.full_size_probabilities,
        )
    return Swap(
        settings.classes,
        settings.from_source,
        settings.hard_edges,
        settings.blend_scale,
        parser.subsampled_probabilities,
    )


def run_parser(
    pictures: Tensor, request: WeightsRequest, classes: Sequence[int], hard_edges: bool, alpha: float, batch: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Parse faces inside ComfyUI: IMAGE (N, H, W, 3) -> MASK (N, H, W) of the chosen classes, IMAGE (N, H, W, 3) of
    all classes' colours, and IMAGE (1, H', W', 3) of the first of these with a legend.
    """
    clip, files = TensorClip(pictures), weights.find(PARSER, request)
    parser, device = models.get_parser(files, batch)
    parsed = parse_faces(parser, clip, classes, device, batch, hard_edges, progress.hooks(), files.path.name)
    rows = (
        (overlaid(part.pictures, part.maps["classes"], alpha).movedim(1, -1), part.maps["mask"][:, 0])
        for part in parsed
    )
    colours, masks = collect(rows, len(clip))
    legend = with_legend(colours[0].movedim(-1, 0), NAMES).movedim(0, -1)[None].to(colours)
    return masks, colours, legend
