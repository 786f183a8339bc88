"""Copies of pictures between the CPU and a CUDA device, neither of which waits for the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def to_device_async(images: Tensor, device: torch.device) -> Tensor:
    """Copy pictures to a device; a copy from the CPU to CUDA is only queued, from pinned memory."""
    if device.type == "cuda" and images.device.type == "cpu":
        return images.pin_memory().to(device, non_blocking=True)
    return images.to(device)


def to_cpu_async(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield batches on the CPU, in order; one from CUDA comes once the copy of the next is queued behind it."""
    waiting: tuple[Tensor, torch.cuda.Event] | None = None
    for batch in batches:
        if batch.device.type != "cuda":
            yield batch.cpu()
            continue
        copy = torch.empty(batch.shape, dtype=batch.dtype, pin_memory=True)
        copy.copy_(batch, non_blocking=True)
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(batch.device))
        if waiting is not None:
            yield _finished(*waiting)
        waiting = copy, done
    if waiting is not None:
        yield _finished(*waiting)


def _finished(copy: Tensor, done: torch.cuda.Event) -> Tensor:
    done.synchronize()
    return copy
