"""Choice of the batch size, limited by what still gains speed, by estimated memory, and by what fitted before."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..core.device import free_memory
from ..core.types import Animator
from .options import DEFAULT_BATCH, MOST_ENLARGED, AnimateOptions, Hooks, working_size

MAX_BATCH = {"cuda": 32, "cpu": 8}  # larger batches are no faster
DETAIL_BYTES = 4 * 32  # of a pixel with detail: pictures, flow and weights
MEMORY_FRACTION = 0.5  # of the free memory

_fitted: dict[tuple[object, ...], int] = {}


def choose_batch(
    options: AnimateOptions, hooks: Hooks, animator: Animator, device: torch.device
) -> tuple[AnimateOptions, Hooks]:
    """Choose a batch size where the options leave it open, and return hooks that remember a size that was too large."""
    if options.batch is not None:
        return options, hooks
    key = (animator.spec.name, animator.config, working_size(animator, options), str(device))
    batch = min(_fitted.get(key, MAX_BATCH["cuda"]), frames_that_fit(frame_bytes(animator, options), device))

    def remember(limit: int) -> None:
        _fitted[key] = limit

    return replace(options, batch=batch), replace(hooks, memory_ran_out=remember)


def frame_bytes(animator: Animator, options: AnimateOptions) -> int:
    """Estimate the bytes that each frame of a batch needs; the largest source is assumed where none is given."""
    size = working_size(animator, options)
    side = 0 if options.detail == 0 else options.detail_size or MOST_ENLARGED * size
    return size**2 * animator.spec.pixel_bytes + side**2 * DETAIL_BYTES


def batch_bytes(animator: Animator, options: AnimateOptions) -> int:
    """Estimate the bytes that a batch needs; its size is the default where the options leave it open."""
    return (options.batch or DEFAULT_BATCH) * frame_bytes(animator, options)


def frames_that_fit(each: int, device: torch.device) -> int:
    """Count the frames of `each` bytes that fit into the free memory by estimate, from 1 to the device's MAX_BATCH."""
    free = free_memory(device)
    most = MAX_BATCH.get(device.type, DEFAULT_BATCH)
    return most if free is None else max(1, min(most, int(free * MEMORY_FRACTION / each)))
