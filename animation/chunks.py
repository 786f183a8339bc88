"""How many frames to work on at once: as many as pay and fit, and no more than fitted before."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from ..core.types import Animator
from .pipeline import AnimateOptions, Hooks, working_size

MOST = {"cuda": 32, "cpu": 8}  # beyond these, nothing more is gained by larger ones
USUAL = 8
SHARE = 0.5  # of the free memory

_fitted: dict[tuple[object, ...], int] = {}


def with_chunks(
    options: AnimateOptions, hooks: Hooks, animator: Animator, device: torch.device
) -> tuple[AnimateOptions, Hooks]:
    """Options with a chunk size where they leave it open (batch 0), and hooks that remember what was too large."""
    if options.batch != 0:
        return options, hooks
    size = working_size(animator, options)
    key = (animator.spec.name, animator.config, size, str(device))
    batch = min(_fitted.get(key, MOST["cuda"]), frames_that_fit(frame_bytes(animator, options), device))

    def remember(limit: int) -> None:
        _fitted[key] = limit

    return replace(options, batch=batch), replace(hooks, memory_ran_out=remember)


def frame_bytes(animator: Animator, options: AnimateOptions) -> int:
    """What each frame of a batch is expected to need."""
    return working_size(animator, options) ** 2 * animator.spec.pixel_bytes


def batch_bytes(animator: Animator, options: AnimateOptions) -> int:
    """What a batch is expected to need, of a usual number of frames where the options leave it open."""
    return (options.batch or USUAL) * frame_bytes(animator, options)


def frames_that_fit(each: int, device: torch.device) -> int:
    """Frames of `each` so many bytes for which there is memory by estimate, within what pays; at least 1."""
    free = free_bytes(device)
    most = MOST.get(device.type, USUAL)
    return most if free is None else max(1, min(most, int(free * SHARE / each)))


def free_bytes(device: torch.device) -> int | None:
    """Memory that can be had on the device; None where nobody tells."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "cpu" and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
