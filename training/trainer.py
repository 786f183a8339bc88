"""Trains a FOMM on drawn faces: seeded, resumable, and finished on time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import filterfalse
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch._inductor import decomposition

from ..core.errors import CheckpointError, join_names
from ..core.inference.precision import to_mixed_precision
from ..core.layers.blocks import UpBlock2d
from ..core.unfinished import keep, make_folder
from ..core.weights.checkpoint import read_checkpoint
from ..module_fomm.drawn.network import DrawnAnimator
from .checkpoint import LOG, MODEL, SHEET, STATE, TrainState, export, load_state, save_state
from .config import TrainConfig
from .drawn.pairs import training_generator, training_sample
from .losses import weighted_sum
from .muon import Muon, is_inner
from .preview import save_picture, sheet
from .saved import is_sound
from .step import training_losses
from .transform import Transform, TransformParams

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LOG_EVERY = 25  # steps
SAVE_EVERY = 180  # seconds


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """Compile a function, but for sampling, where PyTorch's own kernel is several times as fast on a CPU."""
    sampling = torch.ops.aten.grid_sampler_2d.default
    decomposition.decompositions.pop(sampling, None)  # pyright: ignore[reportUnknownMemberType]
    return torch.compile(function)


class Doubling(nn.Module):
    """Nearest-neighbour doubling whose gradient is a sum; the compiler makes scattered additions of PyTorch's own."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        return x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4).flatten(2, 3)


class Trainer:
    """One run in one folder: `state.pt` to go on from, `model.safetensors` to use,
    `log.jsonl` and `sheet.png` to look at."""

    def __init__(self, config: TrainConfig, folder: Path, device: torch.device) -> None:
        self.config, self.folder, self.device = config, folder, device
        self.step, self.seconds = 0, 0.0
        torch.manual_seed(config.seed)  # pyright: ignore[reportUnknownMemberType]
        self.model = DrawnAnimator(config.model, config.size).train()
        self.model.kp_detector.train(config.detector).requires_grad_(config.detector)
        self.model.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if config.half_precision:
            to_mixed_precision(self.model, torch.bfloat16, keep_weights=True, heavy=1)
        self.losses = training_losses
        if config.compile:
            for block in (module for module in self.model.modules() if isinstance(module, UpBlock2d)):
                block.register_module("up", Doubling())
            self.losses = compiled(training_losses)
        parameters = list(self.model.parameters())
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            Muon(filter(is_inner, parameters), lr=0.0),
            torch.optim.Adam(filterfalse(is_inner, parameters), lr=0.0, betas=(0.5, 0.999)),
        )

    def resume(self) -> bool:
        """Go on from the folder's state, if it has one; from there every step is the same as without the break."""
        path = self.folder / STATE
        if not path.exists():
            return False
        state = load_state(path, self.config, self.model, self.optimizers)
        self.model.load_state_dict(state.model)
        for optimizer, moments in zip(self.optimizers, state.optimizers, strict=True):
            optimizer.load_state_dict(moments)
        self.step, self.seconds = state.step, state.seconds
        logger.info("resumed %s at step %d", path, self.step)
        return True

    def start_from(self, path: Path) -> None:
        """Begin with every tensor of a checkpoint that has its place and shape in this model, and the rest anew."""
        parts = read_checkpoint(path).components
        found = {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}
        own = self.model.state_dict()
        fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
        if not fitting:
            raise CheckpointError(f"{path} has no tensor that this model has too. Begin with another file, or without.")
        if damaged := [name for name, value in fitting.items() if not is_sound(name, value)]:
            raise CheckpointError(
                f"{path} has values that no network can have ({join_names(damaged)}). Begin with another file."
            )
        self.model.load_state_dict(own | fitting)
        logger.info("began with %d of %d tensors from %s", len(fitting), len(own), path)

    def save(self) -> None:
        """Write the state and the model. Raises CheckpointError where the disk refuses; older files are then whole."""
        state = TrainState(
            dict(self.model.state_dict()),
            [optimizer.state_dict() for optimizer in self.optimizers],
            self.step,
            self.seconds,
        )
        with self.disk_refusals():
            save_state(self.folder / STATE, state, self.config)
            export(self.folder / MODEL, self.model, self.config.size)
            save_picture(self.folder / SHEET, sheet(self.model, self.config.size))

    @contextmanager
    def disk_refusals(self) -> Generator[None, None, None]:
        """Raise what the disk refuses as CheckpointError."""
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"{self.folder} cannot be written to ({error.strerror or error}); what was saved last is kept. "
                "Make room, then give the same command to go on."
            ) from error

    def train_step(self) -> dict[str, Tensor]:
        """Draw, predict, improve; the losses by name. All randomness comes from the seed and the step's number."""
        config, progress = self.config, self.config.progress(self.step, self.seconds)
        generator = training_generator(config.seed, self.step)
        sample = training_sample(generator, config.identities, config.size, self.device)
        transform = Transform.sample(
            2 * config.identities, generator, self.device, TransformParams(sigma_affine=config.affine)
        )
        losses = self.losses(self.model, sample, transform, config.losses, progress < config.motion_only)
        self.model.zero_grad(set_to_none=True)
        weighted_sum(losses, config.losses).backward()  # pyright: ignore[reportUnknownMemberType]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = config.rate(progress, group["lr"])
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        self.step += 1
        return {name: value.detach() for name, value in {**losses, "norm": norm}.items()}

    def run(self) -> None:
        """Train to the end, saving every few minutes."""
        saved, sums = self.seconds, dict[str, float]()
        while self.config.progress(self.step, self.seconds) < 1:
            start = time.monotonic()
            losses = self.train_step()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item() / LOG_EVERY
            self.seconds += time.monotonic() - start
            if self.step % LOG_EVERY == 0:
                self.log(sums)
                sums = {}
            if self.seconds - saved > SAVE_EVERY:
                self.save()
                saved = self.seconds
        self.save()

    def log(self, means: dict[str, float]) -> None:
        """Append one line of mean losses to the log."""
        line = {"step": self.step, "minutes": round(self.seconds / 60, 2)}
        rounded = {name: round(value, 4) for name, value in means.items()}
        with self.disk_refusals():
            make_folder(self.folder)
            with (self.folder / LOG).open("a") as file:
                file.write(json.dumps({**line, **rounded}) + "\n")
            keep(self.folder / LOG)
        logger.info("step %d, %.1f min: %s", self.step, self.seconds / 60, rounded)
