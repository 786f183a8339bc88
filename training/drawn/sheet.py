"""Contact sheet of a model at work on drawn faces it has never seen."""

from __future__ import annotations

import torch
from torch import Tensor

from ...module_fomm.drawn.network import DrawnAnimator
from ..preview import in_columns, transfer
from . import Identity, Pose, draw
from .pairs import TEST_SEEDS

COLUMNS = ("source", "driving", "result", "difference", "other source", "other result", "other truth")


def drawn_sheet(model: DrawnAnimator, size: int, rows: int = 8, seed: int = TEST_SEEDS) -> Tensor:
    """Draw a sheet (3, rows * size, 7 * size): one unseen pair a row, columns as in COLUMNS."""
    generator = torch.Generator().manual_seed(seed)
    identity, other = Identity.sample(rows, generator), Identity.sample(rows, generator)
    pose, moved = Pose.sample(rows, generator), Pose.sample(rows, generator)
    drawn = [draw(*pair, size) for pair in ((identity, pose), (identity, moved), (other, pose), (other, moved))]
    device = next(model.parameters()).device
    source, driving, other_source, other_truth = (pictures.to(device) for pictures in drawn)
    result, other_result = transfer(model, source, driving), transfer(model, other_source, driving)
    return in_columns([source, driving, result, (result - driving).abs(), other_source, other_result, other_truth])
