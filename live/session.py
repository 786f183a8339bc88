"""One picture that is animated frame by frame, as the frames come: those to come are not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ..animation.device_copy import to_cpu_async
from ..animation.faces.square import Square, cut
from ..animation.finite import first_not_finite
from ..animation.frames import INTEGER_WHITE, TensorClip
from ..animation.motion.smoothing import CausalSmoother
from ..animation.options import DEFAULT_RATE, AnimateOptions, Hooks, resolve_mode, result_size, working_size
from ..animation.predictor import Predictor
from ..animation.session import Session, Step
from ..core.errors import InputError
from ..core.types import Animator, AnimatorSpec, Motion
from .settings import FACE, WHOLE, LiveSettings
from .view import Pixels, View, middle_square

Follow = Callable[[Pixels, float], Square | None]

SHORTEST_STEP: Final = 1e-3  # seconds between frames, by which movement is divided
LONGEST_PAUSE: Final = 1.0  # seconds without a frame, after which the next one is smoothed by none before it


@dataclass(slots=True, eq=False)
class Shot:
    """Driving frame whose pose was read, with all that drawing it takes, whatever becomes of the session meanwhile.

    `picture` is what was drawn for it, once it was.
    """

    animator: Animator
    view: View
    sessions: Sequence[Session]
    pose: Motion
    picture: Pixels | None = None

    def draw(self) -> bool:
        """Draw the view; False where what the model drew is not finite."""
        step = Step(self.pose)
        parts = [part for session in self.sessions for part in session.draw(step)]
        faces = next(to_cpu_async([torch.cat(parts)]))
        if first_not_finite(faces) is not None:
            return False
        self.picture = self.view.show(faces)
        return True


class LiveSession:
    """Animation of the view of a picture by one model, a frame at a time; all it holds is a few pictures and poses.

    Relative motion is measured from the first frame until `recentre`, with other models and pictures too. `follow`
    gives the square of the head in a frame, or None where none was found; one head moves all faces of the view. What
    these need is computed once per view and model. Not for several threads at once, but that `paint` may be at work in
    some while others do the rest.
    """

    def __init__(
        self,
        predictor: Predictor,
        view: View,
        settings: LiveSettings | None = None,
        options: AnimateOptions | None = None,
        follow: Follow | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Raise InputError for settings and options that the model cannot follow."""
        self._predictor, self._view = predictor, view
        self._options, self._follow, self._hooks = options or AnimateOptions(), follow, hooks or Hooks()
        self.settings = settings or LiveSettings().fitting(predictor.animator.spec)
        self.settings.refuse_unfitting(predictor.animator.spec)
        _refuse_options(predictor.animator, self._options)
        self.sees_head = False  # in the newest frame, where it is looked for
        self._frames = 0
        self._anchor: Tensor | None = None  # (1, s, s, 3) float in [0, 1], as are the squares of frames; not mirrored
        self._recentres = True  # with the next frame
        self._square: Tensor | None = None  # of the newest frame that counted
        self._time, self._elapsed = -math.inf, 1 / DEFAULT_RATE  # seconds: of that frame, and since the one before
        self._reading = RLock()
        self._begin_anew()

    @property
    def animator(self) -> Animator:
        """Model that draws."""
        return self._predictor.animator

    @property
    def spec(self) -> AnimatorSpec:
        """Facts about the model."""
        return self.animator.spec

    @property
    def size(self) -> int:
        """Side that the model works at, in pixels."""
        return working_size(self.animator, self._options)

    def change(self, settings: LiveSettings) -> None:
        """Go on with other settings. Raises InputError, and changes nothing, for one that the model cannot follow."""
        settings.refuse_unfitting(self.spec)
        before = self.settings
        self.settings = settings = settings if settings.framing else replace(settings, framing=before.framing)
        self._shot = None
        if settings.smooth != before.smooth or settings.mirror != before.mirror or settings.framing != before.framing:
            self._forget_poses()
        if settings.framing != before.framing:
            self.recentre()
        self._sessions = [session.controlled_by(settings.controls) for session in self._sessions]
        if settings.mirror != before.mirror:
            self._measure_anew()

    def show(self, view: View) -> None:
        """Go on with a view, unless it is the one that is shown."""
        if view is not self._view:
            self._view = view
            self._begin_anew()

    def use(self, predictor: Predictor) -> None:
        """Go on with another model; the settings that it cannot follow are left out.

        Raises InputError, and changes nothing, for options that it cannot follow.
        """
        _refuse_options(predictor.animator, self._options)
        self._predictor = predictor
        self.settings = self.settings.fitting(predictor.animator.spec)
        self._begin_anew()

    def recentre(self) -> None:
        """Measure motion from the next frame on from that very frame."""
        self._recentres = True

    def draw(self, frame: Pixels, seconds: float) -> Pixels:
        """Draw the view (H, W, 3) for a frame that was taken at `seconds`, by any clock that goes on.

        Raises InputError for what is no picture, and CheckpointError for weights that give no numbers.
        """
        return self.paint(self.read(frame, seconds))

    def read(self, frame: Pixels, seconds: float) -> Shot:
        """Read the pose of a frame (H, W, 3) that was taken at `seconds`. Raises InputError for what is no picture."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise InputError(f"has shape {frame.shape} of {frame.dtype}; uint8 (height, width, 3) was wanted.", "frame")
        with self._reading:
            if not self.settings.hold or self._square is None:
                self._take(frame, seconds)
            return self.newest()

    def newest(self) -> Shot:
        """Return the newest frame's shot, as settings, view and model are now."""
        with self._reading:
            if self._shot is None:
                self._shot = self._aimed()
            return self._shot

    def paint(self, shot: Shot) -> Pixels:
        """Draw a shot (H, W, 3). Raises CheckpointError for weights that give no numbers.

        Where 16 bits are too few, the newest frame is drawn in its place, in float32.
        """
        while shot.picture is None and not shot.draw():
            with self._reading:
                self._predictor.fall_back(shot.animator, self._frames)
                if any(session.animator is not self.animator for session in self._sessions):
                    self._begin_anew()
                shot = self.newest()
        assert shot.picture is not None  # it was drawn
        return shot.picture

    def _take(self, frame: Pixels, seconds: float) -> None:
        """Cut the square out of a frame, and make it the one that drives."""
        passed, self._time = seconds - self._time, seconds
        in_time = 0 < passed <= LONGEST_PAUSE
        self._elapsed = max(passed, SHORTEST_STEP) if in_time else 1 / DEFAULT_RATE
        if not in_time:
            self._smoother.reset()
        self._square, self._pose, self._shot = self._cut(frame, seconds), None, None
        self._frames += 1
        if not self._recentres:
            return
        self._recentres = False
        self._anchor = self._square
        self._smoother.reset()
        self._measure_anew()

    def _measure_anew(self) -> None:
        """Measure movement from the anchor, as the camera's pictures are turned now."""
        if self._sessions and self._anchor is not None:
            pose = self._sessions[0].read(self._facing(self._anchor))
            self._sessions = [session.measured_from(pose) for session in self._sessions]

    def _cut(self, frame: Pixels, seconds: float) -> Tensor:
        """Cut the head, or the square in the middle, out of a frame: (1, s, s, 3) in [0, 1]."""
        if self.settings.framing is None:
            is_square = frame.shape[0] == frame.shape[1]
            self.settings = replace(self.settings, framing=WHOLE if is_square else FACE)
        square = self._follow(frame, seconds) if self.settings.framing == FACE and self._follow is not None else None
        if (square is None) == self.sees_head:
            self.sees_head = square is not None
            self.recentre()  # what is measured from was cut in another way
        whole = torch.as_tensor(np.ascontiguousarray(frame))[None]
        if square is not None:
            return cut(whole.movedim(-1, 1), square, self.size).movedim(1, -1) / INTEGER_WHITE[torch.uint8]
        return middle_square(whole) / INTEGER_WHITE[torch.uint8]

    def _aimed(self) -> Shot:
        """Read the pose of the newest square."""
        assert self._square is not None and self._anchor is not None  # a frame was taken
        if not self._sessions:
            self._sessions = self._start(self._facing(self._anchor))
        if self._pose is None:
            self._pose = self._smoother(self._sessions[0].read(self._facing(self._square)), self._elapsed)
        return Shot(self.animator, self._view, self._sessions, self._pose)

    def _start(self, anchor: Tensor) -> list[Session]:
        options = replace(self._options, anchor=anchor, controls=self.settings.controls)
        animator, device, clip = self._predictor.animator, self._predictor.device, TensorClip(anchor)
        sources, options = self._view.sources(animator, options)
        return [Session.start(animator, source, clip, device, options, self._hooks) for source in sources]

    def _facing(self, square: Tensor) -> Tensor:
        return square.flip(2) if self.settings.mirror else square

    def _begin_anew(self) -> None:
        """Forget what was computed of the view, or by the model."""
        self._sessions: list[Session] = []  # one for each face
        self._forget_poses()

    def _forget_poses(self) -> None:
        self._smoother = CausalSmoother(self.settings.smooth, DEFAULT_RATE, self.spec)
        self._pose: Motion | None = None
        self._shot: Shot | None = None


def _refuse_options(animator: Animator, options: AnimateOptions) -> None:
    """Raise InputError for options that a model cannot follow, whatever it draws."""
    resolve_mode(animator, options)
    result_size(animator, 0, options)
