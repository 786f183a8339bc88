"""Pictures of what a model saw: keypoints, the flow as colours, occlusion, and which pixels moved."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor
from torchvision.utils import flow_to_image

from ..core.types import FLOW, OCCLUSION, Clip, Mapped
from .detail import identity
from .faces.square import resized
from .frames import FrameFormat
from .moving import FrameSupply, Source, is_moving
from .options import DRIVING, RESULT, SOURCE, first_picture

COLUMNS = 3  # of panels
FULL_COLOUR = 0.5  # shift, in half sides of the picture, that is drawn in full colour
MOVED = "moved"  # panel
FARTHEST_STILL = 1.0  # pixels; what shifts less counts as still
POINT_RADIUS = 1 / 45  # of the side


def draw_points(pictures: Tensor, points: Tensor) -> Tensor:
    """Draw keypoints (1 or B, K, 2) as discs of K colours, with a dark rim, over pictures (1 or B, 3, H, W): (B, ...).

    Points are in [-1, 1] between the centres of the corner pixels; those outside are left out.
    """
    height, width = pictures.shape[2:]
    rows, columns = torch.arange(height, device=pictures.device), torch.arange(width, device=pictures.device)
    radius, rim = max(1.5, POINT_RADIUS * max(height, width)), 1.0
    places = (points.float() + 1) / 2
    batch = max(len(pictures), len(points))
    drawn = pictures.float().expand(batch, -1, -1, -1)
    for number in range(points.shape[1]):
        x, y = (places[:, number, axis, None, None] * (side - 1) for axis, side in ((0, width), (1, height)))
        distance = torch.hypot(columns - x, rows[:, None] - y)[:, None]
        drawn = torch.lerp(drawn, torch.zeros_like(drawn), (radius + rim + 0.5 - distance).clamp(0, 1))
        drawn = torch.lerp(drawn, _colour(number, points.shape[1], drawn), (radius + 0.5 - distance).clamp(0, 1))
    return drawn


def _colour(number: int, count: int, like: Tensor) -> Tensor:
    """Make a plane of one of `count` colours that differ."""
    planes = [torch.full_like(like[:, :1], part) for part in colorsys.hsv_to_rgb(number / count, 0.9, 1.0)]
    return torch.cat(planes, dim=1)


def draw_flow(flow: Tensor) -> Tensor:
    """Draw the shifts of a flow (B, 2, H, W) as colours (B, 3, H, W) in [0, 1]: hue is direction, saturation length.

    White stands still. The scale is the same for all pictures.
    """
    shifts = flow - identity(flow.shape[-1], flow)
    length = _length(shifts)
    shifts = (shifts * (FULL_COLOUR / length.clamp_min(FULL_COLOUR))).nan_to_num(0.0)
    # The library divides by the longest shift of a batch, which this column makes the same everywhere.
    longest = torch.zeros_like(shifts[..., :1])
    longest[:, 0] = FULL_COLOUR
    return flow_to_image(torch.cat([shifts, longest], dim=3))[..., :-1].float() / 255


def moved_pixels(flow: Tensor) -> Tensor:
    """Mark the pixels that a flow (B, 2, H, W) moves by more than one: (B, 1, H, W) of 0 and 1."""
    side = flow.shape[-1]
    return (_length(flow - identity(side, flow)) * (side - 1) / 2 > FARTHEST_STILL).to(flow.dtype)


def _length(shifts: Tensor) -> Tensor:
    """Measure shifts (B, 2, H, W): (B, 1, H, W)."""
    return torch.hypot(shifts[:, :1], shifts[:, 1:])


def draw_panels(mapped: Mapped, source: Tensor, driving: Tensor) -> dict[str, Tensor]:
    """Draw what is behind a batch of pictures, each (B, C, S, S) in [0, 1] on the device of the pictures.

    `source` (1 or B, 3, S, S), `driving` (B, 3, S, S) and `result` come with their keypoints; for a model with a flow
    there are also `flow` in colours, and of one channel the `occlusion` map and which pixels `moved`.
    """
    size = (driving.shape[2], driving.shape[3])
    pictures = {SOURCE: source, DRIVING: driving, RESULT: resized(mapped.pictures.float(), size)}
    panels = {name: draw_points(picture, mapped.points[name]) for name, picture in pictures.items()}
    if FLOW in mapped.maps:
        flow = mapped.maps[FLOW].float()
        shown = mapped.maps.get(OCCLUSION, torch.ones_like(flow[:, :1]))
        panels |= {FLOW: draw_flow(flow), OCCLUSION: shown.float(), MOVED: moved_pixels(flow)}
    return {name: resized(panel.expand(len(driving), -1, -1, -1), size) for name, panel in panels.items()}


def draw_inspection(mapped: Mapped, source: Tensor, driving: Tensor) -> Tensor:
    """Draw `draw_panels` side by side, three in a row: (B, H, W, 3) in [0, 1]."""
    even = [panel.expand(-1, 3, -1, -1) for panel in draw_panels(mapped, source, driving).values()]
    rows = [torch.cat(even[i : i + COLUMNS], dim=3) for i in range(0, len(even), COLUMNS)]
    return torch.cat(rows, dim=2).movedim(1, -1)


class Inspector:
    """Drawer of the inspection of an animation, batch after batch; clips are read once more for it.

    A source that moves is shown as in the result, as long as the driving clip.
    """

    def __init__(self, source: Source, driving: Clip, format_: FrameFormat) -> None:
        self._format, self._driving = format_, FrameSupply(driving, 0, 1)
        self._moving = FrameSupply(source if is_moving(source) else None, 0, 1)
        self._still = format_.convert(first_picture(source), SOURCE)

    def draw(self, mapped: Mapped) -> Tensor:
        """Draw the next batch of the animation: (B, H, W, 3) on the CPU; see `draw_inspection`."""
        return draw_inspection(mapped, *self._beside(mapped)).cpu()

    def panels(self, mapped: Mapped) -> dict[str, Tensor]:
        """Draw the next batch of the animation, each panel by itself; see `draw_panels`."""
        return draw_panels(mapped, *self._beside(mapped))

    def _beside(self, mapped: Mapped) -> tuple[Tensor, Tensor]:
        """Read the source and the driving frames that belong to the next batch."""
        count = len(mapped.pictures)
        own, driving = self._moving.take(count), self._driving.take(count)
        assert driving is not None  # it is a clip
        source = self._still if own is None else self._format.convert(own, SOURCE)
        return source, self._format.convert(driving, DRIVING)
