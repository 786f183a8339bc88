"""Background predictors of Thin-Plate Spline and Articulated, which the published reconstruction uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.engine import FLOAT32, Engine
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.types import Animator
from first_order_motion.core.weights.checkpoint import Checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.training.background import BackgroundAnimator, background_predictor, with_background
from first_order_motion.training.evaluation.reconstruction import reconstruct
from support.architectures import CPU, seeded, tiny
from support.tiny_model import SIDE
from torch import Tensor, nn

EXACT = Engine(FLOAT32, fast=False)


class Named(TensorClip):
    name = "noise"


def clip() -> Named:
    return Named(
        torch.randint(0, 256, (3, SIDE, SIDE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    )


def written(folder: Path, name: str, background: nn.Module | None) -> Path:
    """Write the weights as a training run leaves them."""
    path, model = folder / "model.safetensors", tiny(name)
    parts = {part: module.state_dict() for part, module in model.named_children()}
    if background is not None:
        parts["bg_predictor"] = background.state_dict()
    to_safetensors(Checkpoint(path, parts), path, metadata=to_metadata(name, model.config, SIDE))
    return path


def as_published(model: Animator, background: nn.Module, source: Tensor, driving: Tensor) -> Tensor:
    """Draw one frame after the other from the networks themselves, (T, 3, H, W), as the published code does."""
    pictures: list[Tensor] = []
    for frame in driving.split(1):
        matrix, pose, prepared = background(source, frame), model.motion(frame), model.prepare(source)
        if isinstance(model, ArticulateAnimator):
            flow, features = model.generator.pixelwise_flow_predictor, prepared.features
            dense = flow(features["small"], features["heatmaps"], prepared.motion, pose, matrix)
            pictures.append(model.generator.decode(features, dense))
        else:
            assert isinstance(model, SplineAnimator)
            moved = model.dense_motion_network(prepared.features, prepared.motion.points, pose.points, matrix)
            pictures.append(model.inpainting_network.decode(prepared.features, moved))
    return torch.cat(pictures)


@pytest.mark.parametrize("name", ["spline", "articulate"])
def test_reconstruction_moves_the_background(tmp_path: Path, name: str) -> None:
    model = tiny(name)
    background = background_predictor(model)
    assert background is not None
    seeded(background).eval()
    plain = Predictor.load(written(tmp_path, name, background), device=CPU, engine=EXACT)
    with torch.no_grad():
        frames = torch.cat([*clip().chunks(3)]).movedim(-1, 1) / 255
        wanted = as_published(model, background, frames[:1], frames)
    error = (wanted.clamp(0, 1) - frames).abs().mean().item()
    found = reconstruct(with_background(plain), [clip()]).measures["L1"]["model"]
    still = reconstruct(plain, [clip()]).measures["L1"]["model"]
    assert found == pytest.approx(error, abs=1e-5) and abs(still - found) > 1e-4


@pytest.mark.parametrize("name", ["spline", "articulate", "fomm"])
def test_weights_without_such_a_network_are_left_as_they_are(tmp_path: Path, name: str) -> None:
    plain = Predictor.load(written(tmp_path, name, None), device=CPU, engine=EXACT)
    assert with_background(plain) is plain and not isinstance(plain.animator, BackgroundAnimator)
