"""Conversion of pictures from the form that callers give to the form that networks take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Clip
from .device_copy import to_device_async

INTEGER_WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0}
PIXELS_AT_ONCE = 2**24


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Target of the conversion of frames: `size` (height, width) in pixels, on `device`, float32.

    The picture is stretched to the size. `antialias` filters while shrinking; off, the result is that of
    the earlier pack.
    """

    size: tuple[int, int]
    device: torch.device
    antialias: bool = False

    def convert(self, images: Tensor, name: str) -> Tensor:
        """Convert pictures (B, H, W, C), see `check_images`, to (B, 3, *size) float32 in [0, 1] on the device.

        The result is laid out channels last: the faster layout, and always the same one, for kernels of
        different layouts round differently.
        """
        images = check_images(images, name)
        # Large frames take many times the memory of what they become, so only some are converted at a time.
        parts = torch.split(images, max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2])))
        rgb = torch.cat([self._fit(part) for part in parts])
        return rgb.contiguous(memory_format=torch.channels_last)

    def _fit(self, images: Tensor) -> Tensor:
        rgb = to_rgb(images, self.device)
        return rgb if rgb.shape[2:] == self.size else self._resize(rgb)

    def _resize(self, rgb: Tensor) -> Tensor:
        on_cpu = rgb.device.type == "mps" and self.antialias  # no antialiased kernel there
        rgb = rgb.cpu() if on_cpu else rgb
        small = F.interpolate(rgb, self.size, mode="bilinear", align_corners=False, antialias=self.antialias)
        return small.clamp_(0, 1).to(self.device)


def check_images(images: Tensor, name: str) -> Tensor:
    """Check pictures (B, H, W, C) or (H, W, C), and return them as (B, H, W, C), values unchanged.

    One channel is grey, two are grey and alpha, three RGB, four RGBA. Raises InputError, naming the input,
    for another shape or kind of number, and for NaN or infinite values.
    """
    if images.ndim == 3:
        images = images[None]
    if images.ndim != 4 or images.shape[-1] not in (1, 2, 3, 4) or 0 in images.shape[1:3]:
        raise InputError(
            f"has shape {tuple(images.shape)}; (frames, height, width, 1 to 4 channels) was wanted. "
            "Give pictures with the channels last.",
            name,
        )
    if not images.is_floating_point() and images.dtype not in INTEGER_WHITE:
        raise InputError(
            f"holds {images.dtype} values; floats in 0..1, uint8 or uint16 were wanted. Convert them.", name
        )
    if images.is_floating_point():
        _check_finite(images, name)
    return images


def without_alpha(images: Tensor) -> Tensor:
    """Lay pictures (..., H, W, C), see `check_images`, over white: (..., H, W, 1 or 3), of the same type.

    What transparent parts hide is left over from drawing, and nobody has seen it.
    """
    channels = images.shape[-1]
    if channels % 2:
        return images
    colours, alpha = images[..., : channels - 1], images[..., channels - 1 :]
    white = INTEGER_WHITE.get(images.dtype)
    if white is None:
        return torch.lerp(torch.ones_like(colours), colours.clamp(0, 1), alpha.clamp(0, 1))
    if bool((alpha == int(white)).all()):
        return colours
    share = alpha.float() / white
    return torch.lerp(torch.full_like(share, white), colours.float(), share).round_().to(images.dtype)


def to_rgb(images: Tensor, device: torch.device) -> Tensor:
    """Convert checked pictures (B, H, W, C) to (B, 3, H, W) float32 in [0, 1] on the device, alpha over white.

    Integers are divided by their largest value, floats are clamped.
    """
    white = INTEGER_WHITE.get(images.dtype)
    rgb = without_alpha(to_device_async(images, device)).float()
    rgb = rgb.clamp(0, 1) if white is None else rgb.div_(white)
    return rgb.movedim(-1, 1).expand(-1, 3, -1, -1)


def _check_finite(images: Tensor, name: str) -> None:
    # A sum is NaN or infinite as soon as one value is, and needs no mask of the whole clip's size; halves
    # can overflow in a sum of ordinary values, so they are looked at one by one.
    if images.dtype in (torch.float32, torch.float64) and images.sum().isfinite():
        return
    finite = images.isfinite().flatten(1).all(dim=1)
    if not finite.all():
        index = int(finite.logical_not().nonzero()[0])
        raise InputError(
            f"holds NaN or infinite values (picture {index} of the batch); numbers in 0..1 were wanted. "
            "Check what made it.",
            name,
        )


class TensorClip:
    """Clip in memory, (N, H, W, C); implements `core.types.Clip`."""

    def __init__(self, images: Tensor) -> None:
        self.images = images[None] if images.ndim == 3 else images

    def __len__(self) -> int:
        return self.images.shape[0]

    def frame(self, index: int) -> Tensor:
        """Return one frame as (1, H, W, C)."""
        return self.images[index : index + 1]

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Iterate over the frames, `size` at a time, without copying them."""
        return iter(torch.split(self.images, size))


class ClipFrom:
    """Clip without its first frames, of which the others keep their indices; implements `core.types.Clip`."""

    def __init__(self, clip: Clip, start: int) -> None:
        self._clip, self._start = clip, start

    def __len__(self) -> int:
        return len(self._clip)

    def frame(self, index: int) -> Tensor:
        """Return one frame of the whole clip as (1, H, W, C)."""
        return self._clip.frame(index)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield the frames from the start on, `size` at a time."""
        passed = 0
        for chunk in self._clip.chunks(size):
            kept = chunk[max(0, self._start - passed) :]
            passed += len(chunk)
            del chunk
            if len(kept):
                yield kept
            del kept
