"""Random changes of training frames, the same for both frames of a sample, in the published order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from ...core.errors import InputError
from ..draws import uniform, whole

MOST_LARGER = 16.0  # factor of resizing
LARGEST_CROP = 4096  # pixels
MOST_JITTER = 100.0
TURN = 360.0  # degrees


@dataclass(frozen=True, slots=True)
class FlipParams:
    """Flips, each with probability 1/2: of the two frames in time, or else, where they were not swapped, mirrored."""

    horizontal_flip: bool = False
    time_flip: bool = False


@dataclass(frozen=True, slots=True)
class RotationParams:
    """Rotation by an angle in degrees, from `-degrees` to `degrees` or between two angles."""

    degrees: float | Sequence[float]


@dataclass(frozen=True, slots=True)
class ResizeParams:
    """Change of size by a factor between the two of `ratio`."""

    ratio: Sequence[float] = (3 / 4, 4 / 3)


@dataclass(frozen=True, slots=True)
class CropParams:
    """Crop of `size` pixels, one number or (height, width), at a random place; smaller frames are padded first."""

    size: int | Sequence[int]


@dataclass(frozen=True, slots=True)
class JitterParams:
    """Changes of colour: factors of 1 plus or minus these, and for the hue, 0.5 at most, parts of the colour circle."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


@dataclass(frozen=True, slots=True)
class AugmentationParams:
    """Kinds of augmentation, each None where it is left out. Raises InputError for values out of bounds."""

    flip_param: FlipParams | None = None
    rotation_param: RotationParams | None = None
    resize_param: ResizeParams | None = None
    crop_param: CropParams | None = None
    jitter_param: JitterParams | None = None

    def __post_init__(self) -> None:
        ratio = (1.0, 1.0) if self.resize_param is None else tuple(self.resize_param.ratio)
        if len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
            raise InputError(f"is {list(ratio)}; two factors above 0, the smaller first, were wanted.", "ratio")
        if self.resize_param is not None and self.crop_param is None:
            raise InputError("was given without crop_param, which brings frames back to one size. Add it.", "ratio")
        if ratio[1] > MOST_LARGER:
            raise InputError(f"is {list(ratio)}; factors up to {MOST_LARGER:g} were wanted.", "ratio")
        if self.crop_param is not None and not all(1 <= side <= LARGEST_CROP for side in _pair(self.crop_param.size)):
            raise InputError(f"is {self.crop_param.size}; 1 to {LARGEST_CROP} pixels were wanted.", "size")
        if self.rotation_param is not None:
            _angles(self.rotation_param.degrees)
        jitter = self.jitter_param or JitterParams()
        for name in ("brightness", "contrast", "saturation", "hue"):
            value, most = float(getattr(jitter, name)), 0.5 if name == "hue" else MOST_JITTER
            if not 0 <= value <= most:
                raise InputError(f"is {value:g}; 0 to {most:g} was wanted.", name)


class Augment:
    """Augmentation of the two frames of a sample, (3, H, W) in [0, 1]: flip, rotate, resize, crop, jitter.

    Both frames get the same draws, all from the generator that is given. Pixels that a rotation brings in are black;
    resizing takes the nearest pixels, as in the published code. It jitters colours in 8 bits, this in floats.
    """

    def __init__(self, params: AugmentationParams) -> None:
        self.params = params

    def __call__(self, source: Tensor, driving: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return both frames, changed, and exchanged where time was turned round."""
        pair, params = torch.stack([source, driving]), self.params
        if params.flip_param is not None:
            pair = _flipped(pair, params.flip_param, generator)
        if params.rotation_param is not None:
            pair = _rotated(pair, params.rotation_param, generator)
        if params.resize_param is not None:
            pair = _resized(pair, params.resize_param, generator)
        if params.crop_param is not None:
            pair = _cropped(pair, _pair(params.crop_param.size), generator)
        if params.jitter_param is not None:
            pair = _jittered(pair, params.jitter_param, generator)
        return pair[0], pair[1]


def _flipped(pair: Tensor, params: FlipParams, generator: torch.Generator) -> Tensor:
    if uniform(generator) < 0.5 and params.time_flip:
        return pair.flip(0)
    if uniform(generator) < 0.5 and params.horizontal_flip:
        return tv.horizontal_flip(pair)
    return pair


def _rotated(pair: Tensor, params: RotationParams, generator: torch.Generator) -> Tensor:
    """Rotate counter-clockwise by a positive angle."""
    low, high = _angles(params.degrees)
    return tv.rotate(pair, uniform(generator, low, high), InterpolationMode.BILINEAR)


def _resized(pair: Tensor, params: ResizeParams, generator: torch.Generator) -> Tensor:
    factor = uniform(generator, params.ratio[0], params.ratio[1])
    size = [max(1, int(side * factor)) for side in pair.shape[2:]]
    return tv.resize(pair, size, InterpolationMode.NEAREST_EXACT)


def _cropped(pair: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Crop to (height, width); what is missing is filled with the pixels at the border, half of it on each side."""
    missing = [max(0, wanted - side) for wanted, side in zip(size, pair.shape[2:], strict=True)]
    (top, bottom), (left, right) = ((lack // 2, lack - lack // 2) for lack in missing)
    wide = F.pad(pair, (left, right, top, bottom), mode="replicate")
    x = whole(generator, wide.shape[3] - size[1] + 1)
    y = whole(generator, wide.shape[2] - size[0] + 1)
    return tv.crop(wide, y, x, size[0], size[1])


def _jittered(pair: Tensor, params: JitterParams, generator: torch.Generator) -> Tensor:
    """Change brightness, saturation, hue and contrast in an order that is drawn too."""
    changes: list[tuple[Callable[[Tensor, float], Tensor], float]] = []
    for change, amount in (
        (tv.adjust_brightness, params.brightness),
        (tv.adjust_contrast, params.contrast),
        (tv.adjust_saturation, params.saturation),
    ):
        if amount > 0:
            changes.append((change, uniform(generator, max(0.0, 1 - amount), 1 + amount)))
    if params.hue > 0:
        changes.append((tv.adjust_hue, uniform(generator, -params.hue, params.hue)))
    for place in torch.randperm(len(changes), generator=generator):
        change, factor = changes[int(place)]
        pair = change(pair, factor)
    return pair


def _angles(degrees: float | Sequence[float]) -> tuple[float, float]:
    """Return the least and the largest angle; one number is both, to either side."""
    angles = [-degrees, degrees] if isinstance(degrees, int | float) else [*degrees]
    if len(angles) != 2 or not -TURN <= angles[0] <= angles[1] <= TURN:
        raise InputError(
            f"is {degrees}; one angle, 0 to {TURN:g}, or two of up to {TURN:g}, the smaller first, were wanted.",
            "degrees",
        )
    return angles[0], angles[1]


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Return a size as (height, width); one number is both."""
    if isinstance(size, int):
        return size, size
    if len(size) != 2:
        raise InputError(f"is {list(size)}; one number or (height, width) was wanted.", "size")
    return size[0], size[1]
