"""Work of every runner node: find the weights, animate, fill one output tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import comfy.model_management as management
import torch
from torch import Tensor

from ...animation.engine import Engine
from ...animation.frames import FrameFormat, TensorClip
from ...animation.framing import FacePlan, Framing
from ...animation.full_size import animate_faces
from ...animation.moving import Source, is_moving, result_frames
from ...animation.options import SOURCE, AnimateOptions, anchor_frame, check_clip, first_picture, working_size
from ...animation.predictor import Predictor
from ...animation.registry import architecture
from ...core.errors import InputError
from ...core.types import Clip, LoadOptions
from ...core.weights.find import WeightsRequest
from . import models, notes, progress, weights
from .parts import Part
from .shared import SharedOptions


def run(
    identity: str,
    source: Source,
    driving: Tensor,
    request: WeightsRequest,
    load_options: LoadOptions,
    options: AnimateOptions,
    best_frame: str | None,
    engine: Engine | None = None,
    part: Part | None = None,
    framing: Framing | None = None,
    rate: float = 24.0,
    shared: SharedOptions | None = None,
) -> Tensor:
    """Animate one source IMAGE or several by a driving IMAGE: IMAGE (N, size, size, 3) in [0, 1].

    With a `framing` the faces of the one source are animated where they are: IMAGE (N, H, W, 3); `rate` is that of the
    driving frames per second. `shared` are wishes for the clips and the result that `options` do not hold.

    `best_frame` is one of `animation.best_frame.METHODS`, or None to measure from frame 0. A `part` of a clip is
    measured from the anchor of the first.
    """
    shared, options = shared or SharedOptions(), replace(options, rate=rate)
    notes.say_what_is_ignored(source, "source_image", shared.batch_moves or takes_several(identity))
    source = shared.source(source)
    clip = shared.driving(checked_clip(source, driving, options))
    files = weights.find(identity, request)
    predictor = models.get_predictor(files, load_options, engine or Engine(), options, shared.enhancer)
    plan = None if framing is None else _plan(framing, source, clip, rate)
    if plan is not None:
        if isinstance(options.anchor, Tensor):
            raise InputError("goes with the framing stretch alone. Leave it out, or stretch.", "anchor")
        whole = source if is_moving(source) else first_picture(source)
        pictures = animate_faces(predictor, whole, plan, options, progress.hooks(), best_frame, shared.enhancer)
        return collected(pictures, plan.result_frames(options.moving))
    if part is not None:
        options = _with_shared_anchor(predictor, source, clip, options, best_frame, part)
        best_frame = None
    pictures = shared.enhanced(predictor.animate(source, clip, options, progress.hooks(), best_frame))
    return collected(pictures, result_frames(source, clip, options.moving))


def takes_several(identity: str) -> bool:
    """Tell whether an architecture takes several pictures of one source."""
    return "more_sources" in architecture(identity).options


def _plan(framing: Framing, source: Source, clip: Clip, rate: float) -> FacePlan | None:
    """Find the faces of a source; raises InputError for several pictures of one face."""
    if not isinstance(source, Tensor) and not is_moving(source) and len(source) > 1:
        raise InputError(f"has {len(source)} pictures; the framing of faces takes one. Leave the others out.", SOURCE)
    whole = source if is_moving(source) else first_picture(source)
    return framing.plan(whole, [(clip, rate)], progress.hooks(), rate)


def collected(pictures: Iterator[Tensor], count: int) -> Tensor:
    """Make an IMAGE of `count` pictures that come in batches (b, 3, H, W)."""
    return collect(((part.movedim(1, -1),) for part in pictures), count)[0]


def _with_shared_anchor(
    predictor: Predictor, source: Source, clip: Clip, options: AnimateOptions, best_frame: str | None, part: Part
) -> AnimateOptions:
    """Return the options with the anchor of the parts before, or of this one if it is the first."""
    frame = part.anchor()
    if frame is None:
        options = predictor.choose_anchor(source, clip, options, progress.hooks(), best_frame)
        size = working_size(predictor.animator, options)
        whole, name = anchor_frame(clip, options)
        # Shrunken to what the driver makes of it anyway, for it is kept after the clip has gone.
        shrunken = FrameFormat((size, size), predictor.device, options.antialias).convert(whole, name)
        frame = shrunken.movedim(1, -1).cpu()
    part.keep(frame)
    return replace(options, anchor=frame)


def checked_clip(source: Source, driving: Tensor, options: AnimateOptions) -> TensorClip:
    """Check the inputs before any weights are loaded, and return the driving frames as a clip."""
    clip = TensorClip(driving)
    check_clip(source, clip, options)
    return clip


def collect(batches: Iterator[tuple[Tensor, ...]], count: int) -> tuple[Tensor, ...]:
    """Copy batches of several kinds of rows, `count` rows in total, into one tensor for each kind.

    The first kind are pictures (b, H, W, 3), which the progress bar shows.
    """
    whole: tuple[Tensor, ...] = ()
    bar, done = progress.Progress(count), 0
    for batch in batches:
        device = management.intermediate_device()
        whole = whole or tuple(torch.empty((count, *rows.shape[1:]), device=device) for rows in batch)
        end = done + len(batch[0])
        for kind, rows in zip(whole, batch, strict=True):
            kind[done:end].copy_(rows)
        bar.update(end, whole[0][done:end])
        done = end
    return whole
