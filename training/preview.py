"""Contact sheet of a model at work on faces it has never seen."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from ..core.atomic_file import atomic_write
from ..module_fomm.drawn.network import DrawnAnimator
from .drawn import Identity, Pose, draw
from .drawn.pairs import TEST_SEEDS

COLUMNS = ("source", "driving", "result", "difference", "other source", "other result", "other truth")


@torch.no_grad()
def transfer(model: DrawnAnimator, source: Tensor, driving: Tensor) -> Tensor:
    """Draw every source (B, 3, H, W) in the absolute pose of its driving picture (B, 3, H, W)."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    prediction, _ = model.generator(source, model.kp_detector(source), model.kp_detector(driving))
    for module, training in modes:
        module.training = training
    return prediction


def sheet(model: DrawnAnimator, size: int, rows: int = 8, seed: int = TEST_SEEDS) -> Tensor:
    """Draw a sheet (3, rows * size, 7 * size): one unseen pair a row, columns as in COLUMNS."""
    generator = torch.Generator().manual_seed(seed)
    identity, other = Identity.sample(rows, generator), Identity.sample(rows, generator)
    pose, moved = Pose.sample(rows, generator), Pose.sample(rows, generator)
    drawn = [draw(*pair, size) for pair in ((identity, pose), (identity, moved), (other, pose), (other, moved))]
    device = next(model.parameters()).device
    source, driving, other_source, other_truth = (pictures.to(device) for pictures in drawn)
    result, other_result = transfer(model, source, driving), transfer(model, other_source, driving)
    columns = [source, driving, result, (result - driving).abs(), other_source, other_result, other_truth]
    return make_grid(torch.stack(columns, dim=1).flatten(0, 1), nrow=len(COLUMNS), padding=0).cpu()


def save_picture(path: Path, picture: Tensor) -> None:
    """Write a picture (3, H, W) in [0, 1] as PNG, whole or not at all."""
    pixels = picture.clamp(0, 1).mul(255).round().byte().movedim(0, -1)
    with atomic_write(path) as part:
        Image.fromarray(pixels.numpy()).save(part, format="PNG")
