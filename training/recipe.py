"""Subject, data and manner of a run: the half of a run that differs; `trainer.Trainer` is the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch._inductor import decomposition
from torch.optim.swa_utils import AveragedModel

from ..animation.engine import dtype_for
from ..core.errors import InputError, join_names
from ..core.inference.precision import to_mixed_precision
from ..core.layers.blocks import UpBlock2d
from ..core.types import Animator
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.convert import to_safetensors
from .averages import moving_average
from .objectives.adversarial import DiscriminatorObjective
from .objectives.base import Losses
from .params import RunParams

Step = tuple[Any, Any]
"""Batch and transform of a step, as the recipe's own objective takes them."""


class Doubling(nn.Module):
    """Nearest-neighbour doubling whose gradient is a sum; the compiler makes scattered additions of PyTorch's own."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        return x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4).flatten(2, 3)


class Recipe(ABC):
    """Data, networks, losses and optimizers of a run.

    `animator` holds the networks as they animate; `objective` maps batch and transform to `Losses`, and trains
    `networks`, by their published names; `critic` is the discriminator with its own loss, or None. `critics` are the
    optimizers of that, by name, `optimizers` those of the rest. `architecture` is the id of the registry's row that
    loads what comes out, which is stored in `dtype` (None: as it is).
    """

    dtype: ClassVar[torch.dtype | None] = None

    optimizers: Mapping[str, torch.optim.Optimizer]
    critics: Mapping[str, torch.optim.Optimizer]

    def __init__(self, architecture: str, params: RunParams, animator: Animator, device: torch.device) -> None:
        self.architecture, self.params, self.device = architecture, params, device
        self.animator = animator
        self.optimizers, self.critics = {}, {}
        average = cast(Any, moving_average(params.ema_decay))  # annotated as None in PyTorch
        animator.to(device)
        self.averaged = AveragedModel(animator, multi_avg_fn=average, use_buffers=True) if params.ema_decay else None

    def adopt(
        self,
        objective: nn.Module,
        networks: Mapping[str, nn.Module],
        critic: DiscriminatorObjective | None = None,
        in_float32: Sequence[str] = (),
    ) -> None:
        """Bring the networks with their losses into the form in which they train: on the device, frozen where that is
        wanted, and in 16 bits but for those that stay in float32.
        """
        self.objective, self.networks, self.critic = objective, dict(networks), critic
        both = [objective] if critic is None else [objective, critic]
        for module in both:
            module.to(self.device).train()
        self._freeze()
        if self._in_bfloat16():  # behind the averages: copies of these layers would run the originals
            for module, kept in zip(both, (in_float32, ()), strict=False):
                to_mixed_precision(module, torch.bfloat16, kept, keep_weights=True, heavy=1)
        if self.params.compile:
            compile_for_training(objective)

    def _in_bfloat16(self) -> bool:
        """Tell whether convolutions run in bfloat16; never in float16, in which small gradients vanish."""
        return dtype_for(self.params.precision, self.device) == torch.bfloat16

    @property
    def shown(self) -> Animator:
        """Model to look at, to evaluate and to export: the one of averaged weights, where they are kept."""
        return self.animator if self.averaged is None else cast(Animator, self.averaged.module)

    def average_anew(self) -> None:
        """Begin the averages again with the weights as they are."""
        if self.averaged is not None:
            self.averaged.module.load_state_dict(self.animator.state_dict())

    def _freeze(self) -> None:
        if unknown := [name for name in self.params.freeze if name not in self.networks]:
            raise InputError(
                f"train_params.freeze lists {join_names(unknown)}; some of {join_names([*self.networks])} were wanted. "
                "Correct it."
            )
        for name in self.params.freeze:
            self.networks[name].requires_grad_(False).eval()
        if not any(one.requires_grad for network in self.networks.values() for one in network.parameters()):
            raise InputError("train_params.freeze lists all networks; one or more must be left to train. Correct it.")

    @abstractmethod
    def batches(self, step: int) -> Iterator[Step]:
        """Yield batches without end, beginning with that of a step, on the device of the networks."""

    @abstractmethod
    def schedule(self, step: int, share: float) -> None:
        """Set learning rates, and what else changes in a run, for a step; `share` of the run is over."""

    def clip(self) -> dict[str, Tensor]:
        """Bound the gradients before they are used; returns norms for the log."""
        if self.params.clip_norm is None:
            return {}
        parameters = [value for network in self.networks.values() for value in network.parameters()]
        return {"norm": torch.nn.utils.clip_grad_norm_(parameters, self.params.clip_norm)}

    def share_done(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over, in [0, 1]."""
        return self.params.share_done(step, seconds)

    def logged(self, losses: Losses) -> Mapping[str, Tensor]:
        """Choose what is logged of a step's losses."""
        return losses.terms

    def saves_at(self, _step: int) -> bool:
        """Tell whether a copy of the model is wanted after so many steps, besides those every few minutes."""
        return False

    @abstractmethod
    def sheet(self) -> Tensor:
        """Draw a contact sheet (3, H, W) of pictures that the model does not train on."""

    @abstractmethod
    def evaluate(self) -> float:
        """Return the error on pictures that the model does not train on; less is better."""

    def warn(self) -> None:
        """Say, once a run begins, what it lacks; by default nothing."""
        return

    def notes(self) -> dict[str, str]:
        """Describe how the model was trained, for the metadata of its file."""
        return {}

    def published(self, step: int) -> tuple[str, dict[str, object]]:
        """Return name and content of a file as the authors' code writes it after so many steps."""
        raise InputError(f"is published, a layout that {self.architecture} does not have. Leave it out.", "layout")

    def export(self, path: Path) -> None:
        """Write the model as safetensors that every command loads."""
        states = {"": self.shown.state_dict()}
        inside = set(dict(self.animator.named_children()))
        states |= {name: net.state_dict() for name, net in self.networks.items() if name not in inside}
        metadata = to_metadata(self.architecture, self.animator.config, self.animator.spec.size)
        to_safetensors(Checkpoint(path, states), path, self.dtype, metadata | self.notes())


def compile_for_training(network: nn.Module) -> None:
    """Have PyTorch compile a network, but for sampling, where its own kernel is several times as fast on a CPU."""
    for block in (module for module in network.modules() if isinstance(module, UpBlock2d)):
        block.register_module("up", Doubling())
    sampling = torch.ops.aten.grid_sampler_2d.default
    decomposition.decompositions.pop(sampling, None)  # pyright: ignore[reportUnknownMemberType]
    network.compile()  # pyright: ignore[reportUnknownMemberType]
