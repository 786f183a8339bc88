"""Processes that divide jobs among them, as `torchrun`, or a cluster's starter that sets RANK and WORLD_SIZE, does."""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

import torch.distributed as dist

from ..core.device import pick_device
from ..core.errors import InputError

T = TypeVar("T")

MEETING: Final = timedelta(minutes=10)  # in which all processes have to start
LONGEST: Final = timedelta(days=30)  # that a process waits for those that have more to do
MEETING_PLACE: Final = "MASTER_ADDR"


@dataclass(frozen=True, slots=True)
class Share:
    """Place of this process among `world`; with `meets`, they tell each other in the end what came of their jobs."""

    rank: int = 0
    world: int = 1
    local: int = 0
    meets: bool = False
    group: dist.ProcessGroup | None = None

    @property
    def speaks(self) -> bool:
        """Tell whether this process prints a summary: the first, or each where they do not meet."""
        return self.rank == 0 or not self.meets

    def of(self, jobs: Sequence[T]) -> list[T]:
        """Return every job whose turn is this process's."""
        return [*jobs[self.rank :: self.world]]

    def words(self, count: int) -> str:
        """Say how many jobs are this process's, where it is not alone."""
        return "" if self.world == 1 else f", of which process {self.rank} of {self.world} has {count}"

    def on_own_device(self, args: argparse.Namespace) -> argparse.Namespace:
        """Return options that name this process's own GPU, where there are several processes and GPUs."""
        if self.world == 1 or args.device not in ("auto", "cuda") or pick_device(args.device).type != "cuda":
            return args
        return argparse.Namespace(**{**vars(args), "device": f"cuda:{self.local}"})

    def gather(self, outcomes: Sequence[T]) -> list[T]:
        """Return the outcomes of all processes, once all are through; its own where they do not meet.

        None of them ends before that, as `torchrun` ends all when one has failed.
        """
        if not self.meets:
            return [*outcomes]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, [*outcomes], group=self.group)
        return [outcome for part in cast("list[list[T]]", found) for outcome in part]


def own_share() -> Share:
    """Read the place of this process from the environment; raises InputError for numbers that are none."""
    try:
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
    except ValueError as error:
        raise InputError(f"RANK, WORLD_SIZE and LOCAL_RANK must be whole numbers ({error}). Correct them.") from error
    if world < 1:
        raise InputError(f"WORLD_SIZE is {world}; 1 or more was wanted. Correct it.")
    if not 0 <= rank < world:
        raise InputError(f"RANK is {rank}; 0 to {world - 1} was wanted, as WORLD_SIZE is {world}. Correct it.")
    return Share(rank, world, local, meets=world > 1 and MEETING_PLACE in os.environ)


@contextmanager
def joined() -> Generator[Share, None, None]:
    """Join the other processes, if there are any and they know where to meet, for as long as the block lasts."""
    share = own_share()
    if not share.meets:
        yield share
        return
    dist.init_process_group("gloo", timeout=MEETING)
    try:
        yield replace(share, group=dist.new_group(timeout=LONGEST))
    finally:
        dist.destroy_process_group()
