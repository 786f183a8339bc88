"""Several processes that train together, as `torchrun` starts them: their places, their models and what they agree on.

Without `torchrun` there is one, and everything here does nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..core.device import pick_device
from ..core.errors import InputError

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)

PATIENCE: Final = timedelta(minutes=60)  # that processes wait for the first one, which saves and evaluates alone


@dataclass(frozen=True)
class Ranks:
    """Place of this process: its number `rank` of `world`, and its device.

    `control` is a group of their own for what they agree on, on the CPU: no GPU has to be waited for.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    control: dist.ProcessGroup | None = field(default=None, repr=False)

    @property
    def is_first(self) -> bool:
        """Tell whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """Return how many samples of a batch are this process's. Raises InputError where it cannot be divided."""
        if batch % self.world:
            raise InputError(
                f"train_params.batch_size is {batch}; a multiple of {self.world} was wanted, as it counts the samples "
                f"of all {self.world} processes. Set another."
            )
        return batch // self.world

    def agree(self, *numbers: float) -> tuple[float, ...]:
        """Return the largest of each number in all processes: 1 for a flag that is 1 in any."""
        if self.world == 1:
            return numbers
        told = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(told, dist.ReduceOp.MAX, self.control)
        return tuple(number.item() for number in told)

    def mean(self, values: Tensor) -> Tensor:
        """Average a tensor over all processes."""
        if self.world > 1:
            dist.all_reduce(values, dist.ReduceOp.SUM)
            values = values / self.world
        return values

    def wrap(self, network: Network) -> Network:
        """Have a network's gradients averaged over all processes; to be called like the network itself."""
        if self.world == 1 or not any(parameter.requires_grad for parameter in network.parameters()):
            return network
        # some parts rest: the background's predictor in the first epochs, frozen ones always
        return cast(Network, DistributedDataParallel(network, find_unused_parameters=True))

    def synchronised(self, network: Network) -> Network:
        """Have batch norms count the samples of all processes; on a CPU they cannot, and count their own."""
        if self.world == 1:
            return network
        if self.device.type != "cuda":
            logger.info("Batch norm counts the samples of each process alone: PyTorch joins them on CUDA only.")
            return network
        return cast(Network, nn.SyncBatchNorm.convert_sync_batchnorm(network))  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def joined(device: str) -> Generator[Ranks, None, None]:
    """Join the processes that `torchrun` started, if it did, for as long as the block lasts."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(pick_device(device))
        return
    local = int(os.environ["LOCAL_RANK"])
    chosen = pick_device(device)
    if chosen.type == "cuda":
        chosen = pick_device(f"cuda:{local}")
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        control = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=PATIENCE))  # all are in it
        yield Ranks(chosen, dist.get_rank(), world, control)
    finally:
        dist.destroy_process_group()
