"""Conversion between a video's YCbCr and RGB: rounded to the nearest, by the matrix and range that the video states."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import torch
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from torch import Tensor

Plane: TypeAlias = NDArray[np.float32]

_MATRICES: Final = {  # of ISO/IEC 23091-2, by FFmpeg's names
    1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"
}  # fmt: skip
_FULL_RANGE: Final = 2
_SD_WIDTH, _SD_HEIGHT = 1280, 576  # players take a video that states no matrix for BT.601 below and up to these

RED, GREEN, BLUE = 0.2126, 0.7152, 0.0722  # shares in the brightness, BT.709
_CB, _CR = 2 * (1 - BLUE), 2 * (1 - RED)
_LUMA, _CHROMA = 255 / 219, 255 / 224  # grey levels of a step in limited range
_BLACK, _WHITE, _NEUTRAL, _LEAST, _MOST = 16, 235, 128, 16, 240


@dataclass(frozen=True, slots=True)
class _Form:
    """Facts on which the conversion of a frame depends."""

    width: int
    height: int
    format: str
    matrix: str
    full: bool


class RgbConverter:
    """Converter of decoded frames to uint8 (H, W, 3), or (H, W, 4) where they have alpha, all of one size.

    Chroma is interpolated and sums are rounded, where FFmpeg's default truncates: repeated reading and writing would
    darken the picture.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._form: _Form | None = None
        self._graph = Graph()

    def __call__(self, frame: VideoFrame) -> Tensor:
        """Convert a frame, whatever its size and format."""
        form = _form_of(frame)
        if form != self._form:
            self._graph, self._form = self._build(form), form
        self._graph.vpush(frame)
        return torch.as_tensor(self._graph.vpull().to_ndarray())

    def _build(self, form: _Form) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=form.width, height=form.height, format=VideoFormat(form.format), time_base=Fraction(1, 1000)
        )
        options = f"{self._width}:{self._height}:flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp"
        if not VideoFormat(form.format).is_rgb:
            options += f":in_color_matrix={form.matrix}:in_range={'pc' if form.full else 'tv'}"
        steps = [
            source,
            graph.add("scale", options),
            graph.add("format", "rgba" if has_alpha(form.format) else "rgb24"),
        ]
        steps.append(graph.add("buffersink"))
        for before, after in pairwise(steps):
            before.link_to(after)
        graph.configure()
        return graph


def has_alpha(pixels: str) -> bool:
    """Tell whether a pixel format has transparency."""
    return pixels.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8"))


def _form_of(frame: VideoFrame) -> _Form:
    pixels = frame.format.name
    guessed = "bt709" if frame.width >= _SD_WIDTH or frame.height > _SD_HEIGHT else "smpte170m"
    full = frame.color_range == _FULL_RANGE or pixels.startswith("yuvj")
    return _Form(frame.width, frame.height, pixels, _MATRICES.get(int(frame.colorspace), guessed), full)


def to_yuv420(picture: NDArray[np.uint8]) -> VideoFrame:
    """Convert a picture (H, W, 3) of even sides to yuv420p: BT.709, limited range.

    That range has fewer steps than RGB. Rounding each of brightness and colour by itself moves some colours by 2 of
    255; so colours are tried rounded up and down, and the brightness that goes best with them is taken: no colour of
    even areas moves by more than 1, and what was read from such a frame is written as the same again.
    """
    rgb = np.ascontiguousarray(np.moveaxis(picture, -1, 0)).astype(np.float32)
    small = (rgb[:, ::2, ::2] + rgb[:, 1::2, ::2] + rgb[:, ::2, 1::2] + rgb[:, 1::2, 1::2]) * np.float32(0.25)
    blue, red = _best_colours(small)
    wide = (plane.repeat(2, 0).repeat(2, 1) for plane in (blue, red))
    planes = (_luma(rgb, *wide), blue, red)
    flat = np.concatenate([plane.astype(np.uint8).ravel() for plane in planes])
    rows = np.reshape(flat, (-1, picture.shape[1]))
    frame = VideoFrame.from_ndarray(rows, format="yuv420p")
    frame.colorspace, frame.color_range = 1, 1
    return frame


def _best_colours(rgb: Plane) -> tuple[Plane, Plane]:
    """Round the colours of pixels (3, H, W) so that what is read again is closest: blue and red difference (H, W)."""
    brightness = RED * rgb[0] + GREEN * rgb[1] + BLUE * rgb[2]
    blue, red = ((rgb[c] - brightness) / (scale * _CHROMA) + _NEUTRAL for c, scale in ((2, _CB), (0, _CR)))
    low_blue, low_red = np.floor(blue), np.floor(red)
    tried = [
        (_clipped(low_blue + up_blue, _LEAST, _MOST), _clipped(low_red + up_red, _LEAST, _MOST))
        for up_blue in (0, 1)
        for up_red in (0, 1)
    ]
    best = np.argmin(np.stack([_error(rgb, *colours) for colours in tried]), axis=0)
    first, second = (np.choose(best, [colours[part] for colours in tried]) for part in (0, 1))
    return first.astype(np.float32), second.astype(np.float32)


def _colour_part(blue: Plane, red: Plane) -> tuple[Plane, Plane, Plane]:
    """Share of the colour in red, green and blue, in grey levels."""
    cb, cr = (blue - _NEUTRAL) * np.float32(_CHROMA), (red - _NEUTRAL) * np.float32(_CHROMA)
    green = cb * np.float32(-BLUE * _CB / GREEN) + cr * np.float32(-RED * _CR / GREEN)
    return cr * np.float32(_CR), green, cb * np.float32(_CB)


def _clipped(values: Plane, low: float, high: float) -> Plane:
    return np.minimum(np.maximum(values, np.float32(low)), np.float32(high))


def _luma(rgb: Plane, blue: Plane, red: Plane) -> Plane:
    """Brightness with which the largest error of the three channels is least, beside given colours."""
    wanted = [channel - part for channel, part in zip(rgb, _colour_part(blue, red), strict=True)]
    low = np.minimum(np.minimum(wanted[0], wanted[1]), wanted[2])
    high = np.maximum(np.maximum(wanted[0], wanted[1]), wanted[2])
    return _clipped(np.rint((low + high) * np.float32(0.5 / _LUMA) + _BLACK), _BLACK, _WHITE)


def _error(rgb: Plane, blue: Plane, red: Plane) -> Plane:
    """Largest error of the three channels as they are read again, with colours and the brightness that goes with them.

    Of equal ones the less exact counts as a little larger, as do colours that RGB cannot show.
    """
    light = (_luma(rgb, blue, red) - _BLACK) * np.float32(_LUMA)
    made = np.stack([light + part for part in _colour_part(blue, red)])
    exact = np.abs(made - rgb).max(axis=0)
    return np.abs(_clipped(np.rint(made), 0, 255) - rgb).max(axis=0) + np.float32(0.01) * exact
