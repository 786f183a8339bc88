"""Contact sheets of a model at work, and the writing of pictures."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.utils import make_grid

from ..core.atomic_file import atomic_write
from ..core.types import Animator

COLUMNS = ("source", "driving", "result", "difference")


@contextmanager
def evaluating(model: nn.Module) -> Generator[None, None, None]:
    """Have a model in evaluation mode and without gradients for a block; its parts then are in their modes again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def transfer(model: Animator, source: Tensor, driving: Tensor) -> Tensor:
    """Draw every source (B, 3, H, W) in the absolute pose of its driving picture (B, 3, H, W)."""
    with evaluating(model):
        return model.render(model.prepare(source), model.motion(driving))


def pairs_sheet(model: Animator, source: Tensor, driving: Tensor) -> Tensor:
    """Lay out pairs (B, 3, H, W), one a row, with columns as in COLUMNS: (3, B * H, 4 * W)."""
    result = transfer(model, source, driving)
    return in_columns([source, driving, result, (result - driving).abs()])


def in_columns(columns: Sequence[Tensor]) -> Tensor:
    """Lay out columns of pictures (B, 3, H, W) side by side: (3, B * H, C * W), on the CPU."""
    return make_grid(torch.stack([*columns], dim=1).flatten(0, 1), nrow=len(columns), padding=0).cpu()


def save_picture(path: Path, picture: Tensor) -> None:
    """Write a picture (3, H, W) in [0, 1] as PNG, whole or not at all."""
    pixels = picture.clamp(0, 1).mul(255).round().byte().movedim(0, -1)
    with atomic_write(path) as part:
        Image.fromarray(pixels.cpu().numpy()).save(part, format="PNG")
