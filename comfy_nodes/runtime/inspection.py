"""Work of the node that shows what a model saw."""

from __future__ import annotations

import torch
from torch import Tensor

from ...animation.frames import FrameFormat
from ...animation.inspection import MOVED, Inspector
from ...animation.moving import as_long_as, result_frames
from ...animation.options import DRIVING, RESULT, SOURCE, AnimateOptions, working_size
from ...core.types import FLOW, OCCLUSION, LoadOptions
from ...core.weights.find import WeightFiles
from . import models, progress
from .run import checked_clip, collect
from .shared import SharedOptions


def inspect(
    source: Tensor, driving: Tensor, files: WeightFiles, shared: SharedOptions, rate: float
) -> tuple[Tensor, ...]:
    """Animate an IMAGE by a driving IMAGE, and return what the model saw, frame by frame.

    IMAGEs (N, size, size, 3) of the source, the driving frames and the results, each with its keypoints, and of the
    flow; MASKs (N, size, size) of how much of the source shows, and of what moved. Raises InputError.
    """
    options = shared.added_to(AnimateOptions(rate=rate))
    clip, moving = shared.driving(checked_clip(source, driving, options)), shared.source(source)
    predictor = models.get_predictor(files, LoadOptions(), shared.engine(), options)
    side, count = working_size(predictor.animator, options), result_frames(moving, clip, options.moving)
    shown = as_long_as(moving, count, options.moving)
    inspector = Inspector(shown, clip, FrameFormat((side, side), predictor.device, antialias=True))
    parts = predictor.animate_mapped(moving, clip, options, progress.hooks())
    result, driven, still, flow, occlusion, moved = collect((_rows(inspector.panels(part)) for part in parts), count)
    return still, driven, result, flow, occlusion, moved


def _rows(panels: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Arrange panels as IMAGEs and MASKs; a model without a flow has moved nothing, and shows all of the source."""
    result = panels[RESULT]
    flow, shown = panels.get(FLOW, torch.ones_like(result)), panels.get(OCCLUSION, torch.ones_like(result[:, :1]))
    moved = panels.get(MOVED, torch.zeros_like(result[:, :1]))
    images = [picture.movedim(1, -1) for picture in (result, panels[DRIVING], panels[SOURCE], flow)]
    return (*images, *(mask[:, 0].clamp(0, 1) for mask in (shown, moved)))
