"""Driver `animate`, through which every architecture, node and command runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Animator, Clip, Mapped
from .moving import Source
from .options import SOURCE, AnimateOptions, Hooks, first_picture, result_size, warn_of_size, warn_of_still
from .session import Session, Step

T = TypeVar("T")


def animate(
    animator: Animator,
    source: Source,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
    start: int = 0,
) -> Iterator[Tensor]:
    """Animate the first of the source pictures with a clip, or all as one with a model that takes several.

    A source that is a clip, as long as the driving one, gives each driving frame a picture of its own. Frames before
    `start` are left out.

    Yields float32 frames (b, 3, size, size) in [0, 1] on `device`, in order, one batch after another; the
    memory it takes does not depend on the clip's length. Raises InputError for inputs it cannot use.
    """
    return _run(Session.draw, animator, source, clip, device, options, hooks, start)


def animate_mapped(
    animator: Animator,
    source: Source,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None = None,
    hooks: Hooks | None = None,
    start: int = 0,
) -> Iterator[Mapped]:
    """Animate as `animate` does, and yield with each batch the maps behind its pictures."""
    return _run(Session.draw_mapped, animator, source, clip, device, options, hooks, start)


def animate_several(
    animator: Animator,
    sources: Sequence[tuple[Source, AnimateOptions]],
    clip: Clip,
    device: torch.device,
    hooks: Hooks | None = None,
    start: int = 0,
) -> Iterator[Tensor]:
    """Animate several sources, each with its options as `animate` does, with one clip, whose poses are read once.

    Yields for every batch of frames the pictures of all sources (b, sources, 3, size, size); the first one's options
    decide on the batch.
    """
    if not sources:
        raise InputError("has 0 pictures; 1 or more was wanted. Name some.", SOURCE)
    hooks, sources = hooks or Hooks(), _of_one_size(animator, sources)
    warn_of_size(animator, sources[0][1])
    warn_of_still(animator, clip, sources[0][1])
    sessions: list[Session] = []
    try:
        sessions += [Session.start(animator, source, clip, device, options, hooks) for source, options in sources]
        frames = [session.source_frames(start) for session in sessions]
        for poses in sessions[0].poses_of(clip, hooks, start):
            steps = [Step(poses, supply.take(len(poses))) for supply in frames]
            pairs = zip(sessions, steps, strict=True)
            yield torch.stack([torch.cat([*session.draw(step)]) for session, step in pairs], dim=1)
    finally:
        sessions.clear()  # before memory is freed, as they hold some
        hooks.free_memory()


def _of_one_size(
    animator: Animator, sources: Sequence[tuple[Source, AnimateOptions]]
) -> Sequence[tuple[Source, AnimateOptions]]:
    """Choose one side for results with detail, that of the largest source, where the options leave it open."""
    sides = [
        result_size(animator, max(first_picture(source).shape[-3:-1]), options) if options.detail else 0
        for source, options in sources
    ]
    if not any(sides):
        return sources
    return [(source, replace(options, detail_size=max(sides))) for source, options in sources]


def _run(
    draw: Callable[[Session, Step], Iterator[T]],
    animator: Animator,
    source: Source,
    clip: Clip,
    device: torch.device,
    options: AnimateOptions | None,
    hooks: Hooks | None,
    start: int,
) -> Iterator[T]:
    """Yield what `draw` makes of each step through a clip; however this is left, memory is freed."""
    options, hooks = options or AnimateOptions(), hooks or Hooks()
    warn_of_size(animator, options)
    warn_of_still(animator, clip, options)
    session: Session | None = None
    try:
        session = Session.start(animator, source, clip, device, options, hooks)
        for step in session.steps(clip, hooks, start):
            yield from draw(session, step)
    finally:
        session = None  # before memory is freed, as it holds some
        hooks.free_memory()
