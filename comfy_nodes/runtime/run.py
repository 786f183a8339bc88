"""What every runner node does: find the weights, animate, fill one output tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import comfy.model_management as management
import torch
from torch import Tensor

from ...animation.batch_size import choose_batch
from ...animation.best_frame import find_best_frame, landmark_finder
from ...animation.device_copy import to_cpu_async
from ...animation.engine import Engine
from ...animation.frames import TensorClip
from ...animation.pipeline import AnimateOptions, Pictures, animate, check_clip, checked_mode
from ...core.types import LoadOptions
from ...core.weights.find import WeightsRequest
from . import models, progress, weights


def run(
    identity: str,
    source: Pictures,
    driving: Tensor,
    choice: WeightsRequest,
    load_options: LoadOptions,
    options: AnimateOptions,
    best_frame: str | None,
    engine: Engine | None = None,
) -> Tensor:
    """Animate inside ComfyUI: one IMAGE or several, IMAGE -> IMAGE (N, size, size, 3) in [0, 1].

    `best_frame` is one of `animation.best_frame.METHODS`, or None to measure from frame 0.
    """
    clip = checked_clip(source, driving, options)
    path = weights.find(identity, choice)
    animator, device = models.get_animator(path, identity, load_options, engine or Engine(), options)
    options, hooks = choose_batch(options, progress.hooks(), animator, device)
    if best_frame is not None and checked_mode(animator, options) == "relative":
        finder = landmark_finder(best_frame, device)
        options = replace(options, anchor=find_best_frame(animator, source, clip, device, options, hooks, finder))
    frames = to_cpu_async(animate(animator, source, clip, device, options, hooks))
    return collected(((part.movedim(1, -1),) for part in frames), len(clip))[0]


def checked_clip(source: Pictures, driving: Tensor, options: AnimateOptions) -> TensorClip:
    """The driving frames, once it is sure that they can be worked on, so that no weights are looked for in vain."""
    clip = TensorClip(driving)
    check_clip(source, clip, options)
    return clip


def collected(batches: Iterator[tuple[Tensor, ...]], count: int) -> tuple[Tensor, ...]:
    """Batches of `count` rows, kind by kind, each kind in one tensor made when the first batch shows its shape.

    The first kind are pictures (b, H, W, 3), which the progress bar shows.
    """
    whole: tuple[Tensor, ...] = ()
    bar, done = progress.Progress(count), 0
    for batch in batches:
        device = management.intermediate_device()
        whole = whole or tuple(torch.empty((count, *rows.shape[1:]), device=device) for rows in batch)
        end = done + len(batch[0])
        for kind, rows in zip(whole, batch, strict=True):
            kind[done:end].copy_(rows)
        bar.update(end, whole[0][done:end])
        done = end
    return whole
