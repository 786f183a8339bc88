"""Work of the node that shows what a model saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...animation.detail import identity
from ...animation.engine import Engine
from ...animation.faces.square import resized
from ...animation.frames import FrameFormat
from ...animation.inspection import draw_flow, draw_points, moved_pixels
from ...animation.moving import FrameSupply, Source, as_long_as, is_moving
from ...animation.options import DRIVING, RESULT, SOURCE, AnimateOptions, first_picture, working_size
from ...core.types import FLOW, OCCLUSION, Clip, LoadOptions, Mapped
from ...core.weights.find import WeightFiles
from . import models, progress
from .run import checked_clip, collect, result_frames
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
    predictor = models.get_predictor(files, LoadOptions(), Engine(), options)
    side, count = working_size(predictor.animator, options), result_frames(moving, clip, options)
    shown = as_long_as(moving, count, options.moving)
    supply = _Supply.of(shown, clip, FrameFormat((side, side), predictor.device, antialias=True))
    drawn = (supply.draw(part) for part in predictor.animate_mapped(moving, clip, options, progress.hooks()))
    result, driven, still, flow, occlusion, moved = collect(drawn, count)
    return still, driven, result, flow, occlusion, moved


@dataclass(frozen=True, slots=True)
class _Supply:
    """Frames that are drawn beside the results, read along with them; `still` is a source that does not move."""

    format: FrameFormat
    driving: FrameSupply
    moving: FrameSupply
    still: Tensor

    @classmethod
    def of(cls, source: Source, driving: Clip, format_: FrameFormat) -> _Supply:
        moving = FrameSupply(source if is_moving(source) else None, 0, 1)
        return cls(format_, FrameSupply(driving, 0, 1), moving, format_.convert(first_picture(source), SOURCE))

    def draw(self, mapped: Mapped) -> tuple[Tensor, ...]:
        """Draw the next batch: result, driving, source and flow (B, side, side, 3), occlusion and moved pixels."""
        size = self.format.size
        own, frames = self.moving.take(len(mapped.pictures)), self.driving.take(len(mapped.pictures))
        assert frames is not None  # the driving clip is one
        pictures = {
            RESULT: resized(mapped.pictures.float(), size),
            DRIVING: self.format.convert(frames, DRIVING),
            SOURCE: self.still if own is None else self.format.convert(own, SOURCE),
        }
        drawn = [draw_points(picture, mapped.points[name]) for name, picture in pictures.items()]
        panels = [picture.expand(len(frames), -1, -1, -1).movedim(1, -1) for picture in drawn]
        return (*panels, *_maps(mapped, size))


def _maps(mapped: Mapped, size: tuple[int, int]) -> Iterator[Tensor]:
    """Draw the maps of a batch; a model without a flow has moved nothing, and shows all of the source."""
    none = identity(size[0], mapped.pictures.float()).expand(len(mapped.pictures), -1, -1, -1)
    flow = mapped.maps.get(FLOW, none).float()
    yield resized(draw_flow(flow), size).movedim(1, -1)
    shown = mapped.maps.get(OCCLUSION, torch.ones_like(flow[:, :1])).float()
    yield resized(shown, size)[:, 0].clamp(0, 1)
    yield resized(moved_pixels(flow), size)[:, 0].clamp(0, 1)
