"""Face parsing of pictures or clips, with the driver's batches, cancel and back-off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.inference.precision import inference_mode
from ..core.types import Clip, Mapped
from ..face_parsing.parser import FaceParser
from .finite import first_not_finite, not_finite
from .frames import FrameFormat
from .options import Hooks

IMAGE = "image"  # the parameter, in error messages


def parse_faces(
    parser: FaceParser,
    clip: Clip,
    chosen: Sequence[int],
    device: torch.device,
    batch: int | None = None,
    hard_edges: bool = False,
    hooks: Hooks | None = None,
    file: str = "The face parser",
) -> Iterator[Mapped]:
    """Yield pictures (b, 3, H, W) unchanged, with the maps `classes` (b, 19, H, W) and `mask` (b, 1, H, W).

    The mask is the probability that a pixel belongs to one of the chosen classes; with `hard_edges`, 1 where that is
    above one half, else 0. Pictures may have any size; the parser sees each stretched to its own. `file` names the
    parser's weights in messages. Raises InputError, or CheckpointError where the parser makes NaN of a picture.
    """
    if len(clip) == 0:
        raise InputError("has 0 pictures; at least 1 is needed. Check the loader.", IMAGE)
    hooks = hooks or Hooks()
    parse, back_off = _Parse(parser, tuple(chosen), device, hard_edges), hooks.back_off()
    try:
        for chunk in hooks.chunks(clip, batch):
            for part in back_off.run(parse, chunk):
                if first_not_finite(part.maps["classes"]) is not None:
                    raise not_finite(file)
                yield part
                del part
    finally:
        hooks.free_memory()


@dataclass(frozen=True, slots=True)
class _Parse:
    """Parser with the settings of one run."""

    parser: FaceParser
    chosen: tuple[int, ...]
    device: torch.device
    hard_edges: bool

    @inference_mode()
    def __call__(self, images: Tensor) -> Mapped:
        """Parse a batch (B, H, W, C)."""
        shrunk = FrameFormat((self.parser.size, self.parser.size), self.device, antialias=True).convert(images, IMAGE)
        size = (images.shape[1], images.shape[2])
        classes = self.parser.probabilities(shrunk, size)
        mask = classes[:, list(self.chosen)].sum(dim=1, keepdim=True).clamp_(0, 1)
        pictures = FrameFormat(size, self.device).convert(images, IMAGE)
        return Mapped(pictures, {"classes": classes, "mask": (mask > 0.5).float() if self.hard_edges else mask})
