"""Framing of an animation: which squares of a picture are animated, and which of a driving clip drive them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import InputError
from ..core.types import Clip
from .faces.clips import FaceClip, find_faces, follow_faces, squares_for
from .faces.detectors import load_face_finder
from .faces.face import ALL, Face, FaceFinder, choose_faces
from .faces.finders.detector import FACES_EXTRA
from .faces.paste import DEFAULT_FEATHER
from .faces.square import DEFAULT_RATIO, Square, square_around
from .faces.squares import FaceSquares
from .faces.track import Track
from .motion.track import MotionTrack
from .moving import MovingSource, is_moving
from .options import Hooks

log = logging.getLogger(__name__)

AUTO, FACE, STRETCH = FRAMINGS = ("auto", "face", "stretch")


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Choices for the faces of a picture, and for those of driving clips.

    `faces` and `driving_faces` are "all", "largest" or numbers such as "0,2", counted from left to right. `ratio` is
    the margin around a face on each side, as a part of its longer side; `upright` turns each face of the picture so
    that its eyes are level, where the detector finds eyes. `smooth_crop` has the cut of a clip follow the head, instead
    of one square that holds all its movement. `feather` is the width of the fading edge as a part of the
    square's side, `match_colour` shifts each face's colours to those around it. `offsets` are the seconds by which
    each face begins later in its clip, from left to right; the last one counts for all that follow.
    """

    faces: str = ALL
    driving_faces: str = ALL
    ratio: float = DEFAULT_RATIO
    upright: bool = False
    smooth_crop: bool = False
    feather: float = DEFAULT_FEATHER
    match_colour: bool = False
    offsets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    """Driving clip of `rate` frames per second; `squares`, one for each frame, cut a face out of it, or none do."""

    clip: Clip
    rate: float
    squares: Sequence[Square] = field(default_factory=tuple[Square, ...])

    def for_size(self, size: int) -> Clip:
        """Return the clip as a network that works at `size` is to see it."""
        return FaceClip(self.clip, self.squares, size) if self.squares else self.clip


def place_squares(faces: Sequence[Face], options: FaceOptions) -> list[Square]:
    """Choose the faces of a picture that are animated, and place a square around each: left to right.

    Raises InputError for a choice that names other faces, and for a ratio out of bounds.
    """
    chosen = choose_faces(faces, options.faces)
    return [square_around(face, options.ratio, options.upright).aligned() for face in chosen]


def frame_picture(
    picture: Tensor, framing: str, finder: FaceFinder, options: FaceOptions, given: Sequence[Face] | None = None
) -> FaceSquares | None:
    """Find the squares of a picture (1, H, W, C) that are animated; None where the whole picture is, stretched.

    `framing` is one of FRAMINGS: "stretch" takes the whole picture, "face" its faces, and "auto" the faces of pictures
    that are not square. `given` faces are taken instead of the finder's. Raises InputError where "face" finds none.
    """
    if _is_whole(picture, framing, given):
        return None
    faces = find_faces(picture, finder) if given is None else inside(given, picture, "boxes")
    if not faces:
        return _no_face(framing, finder)
    squares = place_squares(faces, options)
    log.info("Animating %d of %d faces (%s).", len(squares), len(faces), finder.name if given is None else "given")
    return FaceSquares.still(squares, (picture.shape[1], picture.shape[2]))


def inside(faces: Sequence[Face], picture: Tensor, parameter: str) -> Sequence[Face]:
    """Return given faces of a picture (1, H, W, C); raises InputError for one whose centre lies outside of it."""
    height, width = picture.shape[-3:-1]
    for number, face in enumerate(faces):
        x, y = face.centre
        if not (0 <= x < width and 0 <= y < height):
            box = ", ".join(f"{edge:g}" for edge in face.box)
            raise InputError(
                f"have [{box}] at place {number}, outside of the picture's {width} x {height} pixels. Give left, top, "
                "right, bottom in its own pixels.",
                parameter,
            )
    return faces


def frame_source_clip(
    clip: Clip,
    rate: float,
    framing: str,
    finder: FaceFinder,
    options: FaceOptions,
    hooks: Hooks | None = None,
    given: Sequence[Face] | None = None,
) -> FaceSquares | None:
    """Find the squares of a clip that are animated, as `frame_picture` does; faces are followed through its frames."""
    first = clip.frame(0)
    if given is not None or _is_whole(first, framing, given):
        return frame_picture(first, framing, finder, options, given)
    tracks = follow_faces(clip, finder, rate, (hooks or Hooks()).check_cancelled)
    if not tracks:
        return _no_face(framing, finder)
    found = place_paths(tracks, len(clip), rate, (first.shape[1], first.shape[2]), options)
    log.info("Animating %d of %d faces (%s).", len(found), len(tracks), finder.name)
    return found


def place_paths(
    tracks: Sequence[Track], frames: int, rate: float, size: tuple[int, int], options: FaceOptions
) -> FaceSquares:
    """Choose the faces of a clip of pictures (height, width) that are animated, and place the squares of each.

    They are one for all frames, or one for each; see `choose_tracks` for the order and the errors.
    """
    paths = [
        squares_for(track, frames, rate, options.ratio, options.smooth_crop, options.upright)
        for track in choose_tracks(tracks, options.faces)
    ]
    return FaceSquares(tuple(tuple(path if options.smooth_crop else path[:1]) for path in paths), size)


def _is_whole(picture: Tensor, framing: str, given: Sequence[Face] | None) -> bool:
    """Tell whether a whole picture is animated; raises InputError for an unknown framing."""
    _check_framing(framing, "framing")
    return framing == STRETCH or (framing == AUTO and given is None and is_square(picture))


def _check_framing(framing: str, parameter: str) -> None:
    if framing not in FRAMINGS:
        raise InputError(f"is {framing!r}; choose one of: {', '.join(FRAMINGS)}.", parameter)


def _no_face(framing: str, finder: FaceFinder) -> None:
    """Say that the source shows no face; raises InputError where one was asked for."""
    if framing == FACE:
        raise InputError(
            f"shows no face that {finder.name} finds. Give boxes, choose another detector, or stretch the whole "
            "picture.",
            "source",
        )
    log.warning(
        "No face was found in the picture by %s; the whole picture is animated, as a square. Give boxes of the faces, "
        f"or install a better detector ({FACES_EXTRA}).",
        finder.name,
    )


def is_square(images: Tensor) -> bool:
    """Tell whether pictures (B, H, W, C) are as wide as they are high."""
    return images.shape[1] == images.shape[2]


def frame_clip(
    clip: Clip,
    rate: float,
    framing: str,
    finder: FaceFinder,
    options: FaceOptions,
    hooks: Hooks | None = None,
    given: Sequence[Face] | None = None,
) -> list[Driver]:
    """Make a driver of each chosen face that lasts in a clip, from left to right; of whole frames where none is found.

    `framing` is as in `frame_picture`; "face" raises InputError where there is no face. `given` faces stay where they
    are for the whole clip.
    """
    _check_framing(framing, "driving_framing")
    if isinstance(clip, MotionTrack):
        if given or framing == FACE:
            wish = ("were given", "driving_boxes") if given else ("is 'face'", "driving_framing")
            raise InputError(f"{wish[0]}; a motion file's face was cut out when it was read. Leave it out.", wish[1])
        return [Driver(clip, rate)]
    if given:
        chosen = choose_faces(inside(given, clip.frame(0), "driving_boxes"), options.driving_faces, "driving_faces")
        _tell_of_choice(len(chosen), len(given))
        squares = [square_around(face, options.ratio).aligned() for face in chosen]
        return [Driver(clip, rate, [square] * len(clip)) for square in squares]
    if framing == STRETCH or (framing == AUTO and is_square(clip.frame(0))):
        return [Driver(clip, rate)]
    tracks = follow_faces(clip, finder, rate, (hooks or Hooks()).check_cancelled)
    if not tracks:
        if framing == FACE:
            raise InputError(f"shows no face that {finder.name} finds. Let whole frames drive.", "driving")
        log.info("No face was found in the driving clip by %s; whole frames drive, as squares.", finder.name)
        return [Driver(clip, rate)]
    count, followed = len(clip), choose_tracks(tracks, options.driving_faces, "driving_faces")
    _tell_of_choice(len(followed), len(tracks))
    return [
        Driver(clip, rate, squares_for(track, count, rate, options.ratio, options.smooth_crop)) for track in followed
    ]


def _tell_of_choice(chosen: int, found: int) -> None:
    """Log that some faces of a clip drive nothing, where that is so."""
    if chosen < found:
        log.info("Of %d faces in the driving clip, %d %s.", found, chosen, "drives" if chosen == 1 else "drive")


def choose_tracks(tracks: Sequence[Track], choice: str, parameter: str = "faces") -> list[Track]:
    """Choose among the faces of a clip as `choose_faces` does, by where they are on average."""
    means = [Face(*np.mean([face.box for face in track.faces.values()], axis=0).tolist()) for track in tracks]
    return [tracks[means.index(face)] for face in choose_faces(means, choice, parameter)]


@dataclass(frozen=True, slots=True)
class FacePlan:
    """Faces to animate, from left to right: their squares in the picture, and what drives each.

    `moving` is the number of frames of a source that is a clip, 0 for a picture.
    """

    squares: FaceSquares
    drivers: Sequence[Driver]
    options: FaceOptions
    moving: int = 0

    def result_frames(self, moving: MovingSource) -> int:
        """Count the frames of the result: as `frames`, but fewer where a shorter source cuts them."""
        return moving.frames_with(self.moving, self.frames) if self.moving else self.frames

    @property
    def frames(self) -> int:
        """Number of frames: as many as the longest clip that drives a face has, at the first one's rate."""
        used = self.drivers[: max(1, len(self.squares))]
        return max(max(1, round(len(driver.clip) * self.drivers[0].rate / driver.rate)) for driver in used)


@dataclass(frozen=True, slots=True)
class Framing:
    """Wish for the framing of an animation: what `frame_picture` and `frame_clip` take, for both together.

    `finder` is what finds faces, loaded only if it is needed; `boxes` are faces of the picture known without it,
    `driving_boxes` those of the first clip.
    """

    picture: str = AUTO
    driving: str = AUTO
    finder: Callable[[], FaceFinder] = load_face_finder
    options: FaceOptions = field(default_factory=FaceOptions)
    boxes: Sequence[Face] | None = None
    driving_boxes: Sequence[Face] | None = None

    def plan(
        self,
        source: Tensor | Clip,
        clips: Sequence[tuple[Clip, float]],
        hooks: Hooks | None = None,
        source_rate: float = 25.0,
    ) -> FacePlan | None:
        """Find the faces of a picture (1, H, W, C), and what drives them in clips, each with its frames per second.

        A source that is a clip has `source_rate` frames per second. None where the whole picture is to be animated,
        stretched to a square. Raises InputError.
        """
        finder = FinderOnDemand(self.finder)
        if is_moving(source):
            squares = frame_source_clip(source, source_rate, self.picture, finder, self.options, hooks, self.boxes)
        else:
            squares = frame_picture(source, self.picture, finder, self.options, self.boxes)
        if squares is None:
            if self.driving_boxes:
                raise InputError(
                    "were given; they are for driving the faces of a picture, and the whole picture is animated. Set "
                    "the framing to face, or leave them out.",
                    "driving_boxes",
                )
            return None
        boxes = [self.driving_boxes, *repeat(None, len(clips) - 1)]
        found = [
            frame_clip(clip, rate, self.driving, finder, self.options, hooks, given)
            for (clip, rate), given in zip(clips, boxes, strict=True)
        ]
        drivers = [driver for drivers in found for driver in drivers]
        return FacePlan(squares, drivers, self.options, len(source) if is_moving(source) else 0)


class FinderOnDemand:
    """Finder that is loaded when it is first asked."""

    def __init__(self, load: Callable[[], FaceFinder]) -> None:
        self._load = load

    @cached_property
    def _finder(self) -> FaceFinder:
        return self._load()

    @property
    def name(self) -> str:
        """Name of the detector, for messages."""
        return self._finder.name

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in an RGB picture (H, W, 3)."""
        return self._finder(picture)
