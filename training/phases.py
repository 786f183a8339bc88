"""Fine-tuning of a slimmer FOMM beside the large one it was made of, in the phases of PaddleGAN's mobile model.

First its detector learns with the large generator, which rests; then its generator with the large detector; then both
together. Each phase is a run of the one trainer, in a folder of its own, and can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch

from ..core.errors import InputError
from ..core.weights.checkpoint import read_checkpoint
from ..module_fomm.animator import FOMMAnimator
from ..module_fomm.architecture import FOMM, PARTS
from ..module_fomm.config import FOMMConfig
from .config import VideoConfig
from .distributed import Ranks
from .families import ModelParams
from .objectives.distillation import DistillationParams
from .state import MODEL
from .trainer import Progress, Trainer, ignore
from .video_recipe import VideoRecipe

BOTH: Final = "both"
PHASES: Final = (*PARTS, BOTH)
"""Names of the phases: of what learns in each."""


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Training of a slimmer model: its configuration of data and training, the phases, and with a `teacher` what it
    learns from."""

    config: VideoConfig
    phases: Sequence[str] = PHASES
    teacher: DistillationParams | None = None

    def __post_init__(self) -> None:
        if self.config.family.id != FOMM.id:
            raise InputError(
                f"trains {self.config.family.id}; one that trains fomm was wanted. Choose another.", "config"
            )

    def of(self, phase: str, model: FOMMConfig, size: int) -> VideoConfig:
        """Return the configuration of a phase for its networks, at the model's own size; what does not learn rests."""
        config = self.config
        minutes = config.train_params.minutes
        params = replace(
            config.train_params,
            freeze=tuple(part for part in PARTS if phase not in (part, BOTH)),
            minutes=None if minutes is None else minutes / len(self.phases),
            distillation=self.teacher,
        )
        dataset = replace(config.dataset_params, frame_shape=(size, size, model.num_channels))
        discriminator = config.model_params.discriminator
        return replace(
            config, dataset_params=dataset, model_params=ModelParams(model, discriminator), train_params=params
        )


def fine_tune(
    large: FOMMAnimator,
    small: FOMMAnimator,
    tuning: FineTuning,
    folder: Path,
    device: torch.device,
    progress: Callable[[str], AbstractContextManager[Progress]] = lambda _: nullcontext(ignore),
) -> None:
    """Train a small model phase by phase, each in its folder; it has the weights that were learnt in the end.

    Both models are newly loaded, not optimised. Raises what a run raises.
    """
    for phase in tuning.phases:
        parts = {part: small if phase in (part, BOTH) else large for part in PARTS}
        model = replace(
            small.config,
            kp_detector=parts["kp_detector"].config.kp_detector,
            dense_motion=parts["generator"].config.dense_motion,
            generator=parts["generator"].config.generator,
        )
        recipe = VideoRecipe(tuning.of(phase, model, small.spec.size), Ranks(device))
        run = Trainer(recipe, folder / phase)
        if not run.resume():
            for part, source in parts.items():
                recipe.networks[part].load_state_dict(source.get_submodule(part).state_dict())
            recipe.average_anew()
        with progress(phase) as show:
            run.run(show)
        learnt = read_checkpoint(folder / phase / MODEL).components
        for part in PARTS:
            if parts[part] is small:
                small.get_submodule(part).load_state_dict(learnt[part])
