"""What every runner node does: find the weights, animate, fill one output tensor."""

from __future__ import annotations

from dataclasses import replace

import comfy.model_management as management
import torch
from torch import Tensor

from ..animation.best_frame import find_best_frame, landmark_finder
from ..animation.chunks import BYTES_PER_PIXEL, USUAL, with_chunks
from ..animation.engine import Engine
from ..animation.frames import TensorClip
from ..animation.pipeline import AnimateOptions, Hooks, animate, check_clip, working_size
from ..animation.transfer import fetched
from ..core.types import Animator, LoadOptions
from ..loading.choice import WeightsChoice
from . import models, progress, weights

USUAL_SIZE = 256


def run(
    identity: str,
    source: Tensor,
    driving: Tensor,
    choice: WeightsChoice,
    load_options: LoadOptions,
    options: AnimateOptions,
    best_frame: str | None,
    engine: Engine | None = None,
) -> Tensor:
    """Animate inside ComfyUI: IMAGE, IMAGE -> IMAGE (N, size, size, 3) in [0, 1].

    `best_frame` is one of `animation.best_frame.METHODS`, or None to measure from frame 0.
    """
    clip = TensorClip(driving)
    check_clip(source, clip, options if options.batch else replace(options, batch=USUAL))
    path = weights.find(identity, choice)
    animator, device = models.get_animator(path, identity, load_options, engine or Engine(), _batch_bytes(options))
    options, hooks = with_chunks(options, progress.hooks(), animator, device)
    if best_frame is not None and options.retargeting.mode == "relative":
        finder = landmark_finder(best_frame, device)
        options = replace(options, anchor=find_best_frame(animator, source, clip, device, options, hooks, finder))
    return _collect(animator, source, clip, device, options, hooks)


def _batch_bytes(options: AnimateOptions) -> int:
    side = options.size or USUAL_SIZE
    return (options.batch or USUAL) * side * side * BYTES_PER_PIXEL


def _collect(
    animator: Animator,
    source: Tensor,
    clip: TensorClip,
    device: torch.device,
    options: AnimateOptions,
    hooks: Hooks,
) -> Tensor:
    side = working_size(animator, options)
    images = torch.empty((len(clip), side, side, 3), device=management.intermediate_device())
    bar, done = progress.Progress(len(clip)), 0
    for frames in fetched(animate(animator, source, clip, device, options, hooks)):
        part = images[done : done + len(frames)]
        part.copy_(frames.movedim(1, -1))
        done += len(frames)
        bar.update(done, part)
    return images
