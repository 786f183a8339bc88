"""Parsing faces, picture by picture: the driver's batches, cancel and back-off without an animation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.precision import inference_mode
from ..core.types import Clip, Mapped
from ..face_parsing.parser import FaceParser
from .frames import FrameFormat
from .pipeline import Hooks, in_batches

IMAGE = "image"


def parse_faces(
    parser: FaceParser,
    clip: Clip,
    chosen: Sequence[int],
    device: torch.device,
    batch: int = 4,
    hard_edges: bool = False,
    hooks: Hooks | None = None,
) -> Iterator[Mapped]:
    """Pictures (b, 3, H, W) as they came, with the maps `classes` (b, 19, H, W) and `mask` (b, 1, H, W), in order.

    The mask is how likely a pixel belongs to one of the chosen classes; with `hard_edges` 1 where that is above
    one half, else 0. Pictures may have any size; each is stretched to the parser's for a look.
    """
    if len(clip) == 0:
        raise InputError(f"{IMAGE} has 0 pictures; at least 1 is needed. Check the loader.")
    hooks = hooks or Hooks()
    step = partial(_parsed, parser, chosen, device, hard_edges)
    return in_batches(lambda: partial(hooks.back_off().run, step), clip, batch, hooks)


@inference_mode()
def _parsed(
    parser: FaceParser, chosen: Sequence[int], device: torch.device, hard_edges: bool, images: Tensor
) -> Mapped:
    look = FrameFormat((parser.size, parser.size), device, antialias=True).convert(images, IMAGE)
    size = (images.shape[1], images.shape[2])
    classes = parser.probabilities(look, size)
    mask = classes[:, list(chosen)].sum(dim=1, keepdim=True).clamp_(0, 1)
    pictures = FrameFormat(size, device).convert(images, IMAGE)
    return Mapped(pictures, {"classes": classes, "mask": (mask > 0.5).float() if hard_edges else mask})
