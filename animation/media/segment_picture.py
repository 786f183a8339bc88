"""Pictures that show segments: colours laid over a picture, and a legend beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Matplotlib's colour map "gist_rainbow": places in [0, 1] and the colours there, straight between them.
_PLACES = (0.0, 0.03, 0.215, 0.4, 0.586, 0.77, 0.954, 1.0)
_COLOURS = ((1, 0, 0.16), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0.75))
_STEPS = 256

_LEAST_HEIGHT = 512  # pixels of a picture with a legend, for the names to be read
_ROW, _SWATCH, _MARGIN, _FONT = 24, 14, 8, 14
_DARK, _LIGHT = (24, 24, 24), (240, 240, 240)


def palette(count: int) -> list[tuple[float, float, float]]:
    """Colours of `count` segments, the first of them the background's, in [0, 1].

    Black, then the rainbow at (i - 1) / (count - 1), as published.
    """
    return [(0.0, 0.0, 0.0), *(_rainbow(number / (count - 1)) for number in range(count - 1))]


def _rainbow(place: float) -> tuple[float, float, float]:
    step = min(int(place * _STEPS), _STEPS - 1) / (_STEPS - 1)
    red, green, blue = (float(np.interp(step, _PLACES, channel)) for channel in zip(*_COLOURS, strict=True))
    return red, green, blue


def coloured(segments: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn soft segments (B, C, h, w) into the colour of the largest one at every pixel: (B, 3, *size)."""
    largest = F.interpolate(segments.float(), size, mode="bilinear", align_corners=False).argmax(dim=1)
    return torch.tensor(palette(segments.shape[1]), device=segments.device)[largest].movedim(-1, 1)


def overlaid(pictures: Tensor, segments: Tensor, alpha: float) -> Tensor:
    """Lay the colours of segments (1 or B, C, h, w), which weigh `alpha`, over pictures (B, 3, H, W) in [0, 1]."""
    colours = coloured(segments, (pictures.shape[2], pictures.shape[3]))
    return (pictures * (1 - alpha) + colours * alpha).clamp(0, 1)


def with_legend(picture: Tensor, names: Sequence[str]) -> Tensor:
    """Enlarge a picture (3, H, W) in [0, 1] until a legend of its segments is readable beside it: (3, H', W').

    Segments are numbered from 0. Both sides are even, as video formats want them.
    """
    rows = [f"{number}  {name}" for number, name in enumerate(names)]
    font = ImageFont.load_default(_FONT)
    height = max(_LEAST_HEIGHT, _ROW * len(rows) + 2 * _MARGIN)
    times = -(-height // picture.shape[1])
    shown = picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
    pixels = Image.fromarray((shown * 255).round().byte().movedim(0, -1).cpu().numpy())
    column = max(int(font.getlength(row)) for row in rows) + _SWATCH + 3 * _MARGIN
    sheet = Image.new("RGB", (_even(pixels.width + column), _even(pixels.height)), _DARK)
    sheet.paste(pixels, (0, 0))
    draw, left = ImageDraw.Draw(sheet), pixels.width + _MARGIN
    for number, (row, colour) in enumerate(zip(rows, palette(len(rows)), strict=True)):
        top = _MARGIN + number * _ROW
        red, green, blue = (round(255 * channel) for channel in colour)
        draw.rectangle((left, top, left + _SWATCH, top + _SWATCH), fill=(red, green, blue), outline=_LIGHT)
        draw.text((left + _SWATCH + _MARGIN, top - 1), row, fill=_LIGHT, font=font)
    return torch.tensor(np.asarray(sheet, np.float32) / 255).movedim(-1, 0)


def _even(side: int) -> int:
    return side + side % 2
