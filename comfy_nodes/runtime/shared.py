"""Settings that every runner shares, as they travel on the wire of the options node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from torch import Tensor

from ...animation.best_frame import AUTO
from ...animation.engine import Engine
from ...animation.enhance import Enhancer
from ...animation.frames import TensorClip
from ...animation.framing import STRETCH
from ...animation.media.clip import FileClip
from ...animation.motion.clips import back_and_forth, ping_pong
from ...animation.motion.controls import Controls
from ...animation.moving import MovingSource, OrderedClip, Source
from ...animation.options import SOURCE, AnimateOptions
from ...core.errors import InputError
from ...core.types import Clip
from . import progress


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """Settings of how a runner works. The defaults are those of workflows without them."""

    size: int = 0
    antialias: bool = False
    best_frame_by: str = AUTO
    batch_size: int = 0
    precision: str = "auto"
    framing: str = STRETCH

    def added_to(self, own: AnimateOptions) -> AnimateOptions:
        """Complete a runner's own options."""
        return replace(own, size=self.size or None, antialias=self.antialias, batch=self.batch_size or None)

    def engine(self) -> Engine:
        """Return the engine that a model is to run in."""
        return Engine(self.precision)


@dataclass(frozen=True, slots=True, eq=False)
class SharedOptions:
    """Value of the wire. The defaults change nothing.

    `ping_pong` shows the driving clip forwards and backwards. `batch_moves` makes a clip of a batch of source pictures,
    of which the first is taken otherwise; `moving` is for sources that are clips. `anchor` (1, H, W, C) is the frame
    that movement is measured from. `runner` goes before a runner's own settings.
    """

    controls: Controls = field(default_factory=Controls)
    ping_pong: bool = False
    detail: float = 0.0
    batch_moves: bool = False
    moving: MovingSource = field(default_factory=MovingSource)
    anchor: Tensor | None = None
    enhancer: Enhancer | None = None
    runner: RunnerSettings | None = None

    def added_to(self, own: AnimateOptions) -> AnimateOptions:
        """Complete a runner's own options; an anchor that it has of its own goes before this one."""
        anchor = own.anchor if self.anchor is None or isinstance(own.anchor, Tensor) else self.anchor
        if self.runner is not None:
            own = self.runner.added_to(own)
        return replace(own, controls=self.controls, detail=self.detail, moving=self.moving, anchor=anchor)

    def engine(self) -> Engine:
        """Return the engine that these settings ask for."""
        return Engine() if self.runner is None else self.runner.engine()

    def driving(self, clip: Clip) -> Clip:
        """Return the driving clip as it is to be shown."""
        return OrderedClip(clip, back_and_forth(len(clip))) if self.ping_pong else clip

    def file_driving(self, clip: FileClip) -> FileClip:
        """Return the driving clip of a file, or motion, as it is to be shown."""
        return ping_pong(clip) if self.ping_pong else clip

    def source(self, source: Source) -> Source:
        """Return a clip for a source that moves, and any other as it is."""
        if not self.batch_moves:
            return source
        if isinstance(source, Tensor):
            return TensorClip(source)
        if isinstance(source, list | tuple):
            raise InputError(f"has {len(source)} inputs; a source that moves has one. Leave the others out.", SOURCE)
        return source

    def enhanced(self, pictures: Iterator[Tensor]) -> Iterator[Tensor]:
        """Have pictures (b, 3, H, W) go through the enhancer, if there is one."""
        return pictures if self.enhancer is None else self.enhancer.stream(pictures, progress.hooks())


def read_options(value: object) -> SharedOptions:
    """Return what is wired into a runner's `options`; raises InputError for the output of another node."""
    if value is None:
        return SharedOptions()
    if not isinstance(value, SharedOptions):
        raise InputError(f"is a {type(value).__name__}; wire Animation Options or Runner Options here.", "options")
    return value
