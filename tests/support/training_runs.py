"""Small runs of training: drawn faces, and videos of a square that wanders over a pattern, at 32 pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from first_order_motion.training.begin import make_recipe
from first_order_motion.training.config import DrawnRunConfig, VideoConfig, parse_config
from first_order_motion.training.distributed import Ranks
from first_order_motion.training.drawn.params import DrawnDataset, DrawnTrainParams
from first_order_motion.training.preview import save_picture
from first_order_motion.training.settings import override
from first_order_motion.training.trainer import Trainer

from .trained_model import TINY

CPU = torch.device("cpu")
SIZE = 32


def drawn_trainer(folder: Path, *, model: Any = TINY, identities: int = 4, size: int = 32, **params: Any) -> Trainer:
    """A run on drawn faces; `params` are those of `train_params`."""
    torch.set_num_threads(1)
    wanted = {"steps": 30, "motion_only": 0.0, "ramp": 1, "precision": "float32"} | params
    config = DrawnRunConfig(
        DrawnDataset(identities=identities, size=size), model, DrawnTrainParams(**wanted), {"architecture": "drawn"}
    )
    return Trainer(make_recipe(config, Ranks(CPU)), folder)


def write_strips(root: Path, count: int = 6, frames: int = 5, size: int = SIZE) -> Path:
    """Write videos as strips of frames, the last third to test with."""
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        folder = root / ("train" if number < 2 * count // 3 else "test")
        folder.mkdir(parents=True, exist_ok=True)
        colours = torch.rand(2, 3, 1, 1, generator=generator)
        path = torch.rand(2, 2, generator=generator) * (size // 2)
        strip: list[torch.Tensor] = []
        for frame in range(frames):
            picture = colours[0].expand(3, size, size) * torch.linspace(0.3, 1, size)
            x, y = (path[0] + (path[1] - path[0]) * frame / frames).long().tolist()
            picture[:, y : y + size // 2, x : x + size // 2] = colours[1]
            strip.append(picture)
        save_picture(folder / f"{number}.png", torch.cat(strip, dim=2))
    return root


HOURGLASS = {"block_expansion": 4, "max_features": 8, "num_blocks": 2}
MODELS: dict[str, dict[str, Any]] = {
    "fomm": {
        "common_params": {"num_kp": 3, "num_channels": 3, "estimate_jacobian": True},
        "kp_detector_params": {**HOURGLASS, "scale_factor": 0.5, "pad": 3},
        "generator_params": {
            "block_expansion": 4,
            "max_features": 8,
            "num_down_blocks": 2,
            "num_bottleneck_blocks": 1,
            "estimate_occlusion_map": True,
            "dense_motion_params": {**HOURGLASS, "scale_factor": 0.5},
        },
        "discriminator_params": {"block_expansion": 4, "max_features": 8, "num_blocks": 1, "sn": True, "use_kp": True},
    },
    "spline": {
        "common_params": {"num_tps": 2, "num_channels": 3, "bg": True, "multi_mask": True},
        "generator_params": {"block_expansion": 4, "max_features": 8, "num_down_blocks": 2},
        "dense_motion_params": {**HOURGLASS, "scale_factor": 0.5},
    },
    "articulate": {
        "num_regions": 3,
        "num_channels": 3,
        "estimate_affine": True,
        "revert_axis_swap": True,
        "bg_predictor_params": {"block_expansion": 4, "max_features": 8, "num_blocks": 2, "bg_type": "affine"},
        "region_predictor_params": {**HOURGLASS, "scale_factor": 0.5, "pad": 3, "pca_based": True},
        "generator_params": {
            "block_expansion": 4,
            "max_features": 8,
            "num_down_blocks": 2,
            "num_bottleneck_blocks": 1,
            "skips": True,
            "pixelwise_flow_predictor_params": {**HOURGLASS, "scale_factor": 0.5},
        },
    },
}
TRAIN: dict[str, Any] = {
    "steps": 4,
    "num_repeats": 4,
    "batch_size": 2,
    "scales": [1, 0.5],
    "dataloader_workers": 0,
    "log_every": 1,
}


def video_settings(root: Path, architecture: str = "fomm", **params: Any) -> dict[str, Any]:
    """Settings of a run on videos, as a YAML would have them."""
    return {
        "dataset_params": {"root_dir": str(root), "frame_shape": [SIZE, SIZE, 3]},
        "model_params": MODELS[architecture],
        "train_params": {**TRAIN, **params},
    }


def video_config(root: Path, architecture: str = "fomm", *changes: str, **params: Any) -> VideoConfig:
    """Configuration of a run on videos; the spline's detector is narrower than any published one."""
    config = parse_config(override(video_settings(root, architecture, **params), changes))
    assert isinstance(config, VideoConfig)
    if architecture == "spline":
        model = replace(config.model_params, config=replace(config.model_params.config, width=8))
        config = replace(config, model_params=model)
    return config


def video_trainer(
    root: Path, folder: Path, architecture: str = "fomm", *changes: str, ranks: Ranks | None = None, **params: Any
) -> Trainer:
    """A run on videos; `params` are those of `train_params`."""
    torch.set_num_threads(1)
    ranks = ranks or Ranks(CPU)
    return Trainer(make_recipe(video_config(root, architecture, *changes, **params), ranks), folder, ranks)


Gradients = dict[str, torch.Tensor]


def recorded_steps(
    run: Trainer, before: Callable[[], None] = lambda: None, after: Callable[[int, Gradients], None] = lambda *_: None
) -> dict[int, Gradients]:
    """Have a run record the gradients of each step, with batch norms in evaluation form, which couple no samples."""
    recorded: dict[int, Gradients] = {}
    step = run.train_step

    def train_step() -> dict[str, torch.Tensor]:
        before()
        for module in run.recipe.objective.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        losses = step()
        recorded[run.counters.step] = {
            f"{name}.{key}": value.grad.clone()
            for name, network in run.recipe.networks.items()
            for key, value in network.named_parameters()
            if value.grad is not None
        }
        after(run.counters.step, recorded[run.counters.step])
        return losses

    run.train_step = train_step  # type: ignore[method-assign]
    return recorded


def in_float64(run: Trainer) -> Trainer:
    """Have a run compute in float64, in which sums in another order are as good as equal."""
    batches = run.recipe.batches
    run.recipe.objective.double()

    def exact(step: int) -> Iterator[Any]:
        for batch, transform in batches(step):
            parts = {name: value.double() for name, value in vars(transform).items()}
            yield (
                batch._replace(source=batch.source.double(), driving=batch.driving.double()),
                replace(transform, **parts),
            )

    run.recipe.batches = exact  # type: ignore[method-assign]
    run.recipe.sheet = lambda: torch.zeros(3, 1, 1)  # type: ignore[method-assign]
    return run
