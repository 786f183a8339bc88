from collections.abc import Sequence

from torch import Tensor

from .. import InterpolationMode

def horizontal_flip(picture: Tensor, /) -> Tensor: ...
def rotate(
    picture: Tensor, /,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: list[float] | None = None,
    fill: float | None = None,
) -> Tensor: ...
def resize(
    picture: Tensor, /,
    size: Sequence[int] | None,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Tensor: ...
def crop(picture: Tensor, /, top: int, left: int, height: int, width: int) -> Tensor: ...
def adjust_brightness(picture: Tensor, /, brightness_factor: float) -> Tensor: ...
def adjust_contrast(picture: Tensor, /, contrast_factor: float) -> Tensor: ...
def adjust_saturation(picture: Tensor, /, saturation_factor: float) -> Tensor: ...
def adjust_hue(picture: Tensor, /, hue_factor: float) -> Tensor: ...
