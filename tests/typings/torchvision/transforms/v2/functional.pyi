from collections.abc import Sequence

from torch import Tensor

from .. import InterpolationMode

def horizontal_flip(inpt: Tensor) -> Tensor: ...
def rotate(
    inpt: Tensor,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: list[float] | None = None,
    fill: float | None = None,
) -> Tensor: ...
def resize(
    inpt: Tensor,
    size: Sequence[int] | None,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Tensor: ...
def crop(inpt: Tensor, top: int, left: int, height: int, width: int) -> Tensor: ...
def adjust_brightness(inpt: Tensor, brightness_factor: float) -> Tensor: ...
def adjust_contrast(inpt: Tensor, contrast_factor: float) -> Tensor: ...
def adjust_saturation(inpt: Tensor, saturation_factor: float) -> Tensor: ...
def adjust_hue(inpt: Tensor, hue_factor: float) -> Tensor: ...
