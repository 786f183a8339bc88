"""Animation by exported graphs, without PyTorch: NumPy and ONNX Runtime are enough, and PyAV for files.

Copy this file, `onnx_loading.py` and `onnx_media.py` wherever they are needed, with the folder that `animate.py export`
wrote.

>>> animator = OnnxAnimator.load("exported")
>>> for pictures in animator.animate(source, frames):  # (H, W, 3) and many of them -> (b, size, size, 3) in [0, 1]
...     ...

python onnx_animator.py SOURCE DRIVING OUTPUT --model FOLDER
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

if __package__:
    from . import onnx_loading as loading
    from .onnx_loading import AVD, BACKGROUND, MOTION, POSED, PREPARE, RELATIVE, RENDER, SOURCE, STANDARD
    from .onnx_media import OnnxError, Video, fit, read_picture, within_unit, write_video
else:  # copied elsewhere
    import onnx_loading as loading
    from onnx_loading import AVD, BACKGROUND, MOTION, POSED, PREPARE, RELATIVE, RENDER, SOURCE, STANDARD
    from onnx_media import OnnxError, Video, fit, read_picture, within_unit, write_video

Array: TypeAlias = "NDArray[Any]"
Arrays: TypeAlias = "dict[str, NDArray[Any]]"

PIXELS = 4096  # decoded at once by a model that decodes them singly
MOST_STRENGTH, MOST_BATCH = 4.0, 1024
LONGEST_REASON = 200
TINY_DETERMINANT, FLAT, LEAST_GAP = 1e-12, 1e-12, 1e-6


@dataclass(frozen=True)
class Options:
    """Choices for an animation, which mean what they mean for the pack's own driver.

    `mode` is "relative" (movement since the anchor is added to the source's pose), "standard" (the driving pose as it
    is) or "avd"; None is "relative" where the model offers it. `anchor` is the index of a frame, or a picture.
    `strength`, 0 to 4, is how much of the movement is taken on. `background`, in "standard", moves it too.
    """

    mode: str | None = None
    anchor: int | Array = 0
    strength: float = 1.0
    relative_jacobian: bool = True
    adapt_scale: bool = True
    background: bool = False
    batch: int = 4

    def __post_init__(self) -> None:
        if self.mode is not None and self.mode not in loading.MODES:
            raise OnnxError(
                f"mode is {self.mode!r}; one of {', '.join(loading.MODES)} was wanted. Leave it out for the default."
            )
        if not isinstance(self.anchor, np.ndarray) and not _is_number(self.anchor):
            raise OnnxError(f"anchor is {self.anchor!r}; the index of a frame, or an array, was wanted. Leave it out.")
        if not _is_number(self.batch) or not 1 <= self.batch <= MOST_BATCH:
            raise OnnxError(f"batch is {self.batch!r}; 1 to {MOST_BATCH} was wanted. Leave it out for 4.")
        if not _is_number(self.strength, float, np.floating) or not 0 <= self.strength <= MOST_STRENGTH:
            raise OnnxError(f"strength is {self.strength!r}; 0 to 4 was wanted. 1 leaves the motion as it is.")


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, (int, np.integer, *kinds)) and not isinstance(value, bool)


def _is_folder(place: object) -> bool:
    try:
        return isinstance(place, (str, Path)) and bool(str(place)) and Path(place).is_dir()
    except OSError:  # a name that is too long
        return False


def _are_many(frames: object) -> bool:
    return isinstance(frames, Iterable) and not isinstance(frames, (str, bytes))


class OnnxAnimator:
    """Exported model, ready to animate any number of pictures."""

    def __init__(self, sessions: Mapping[str, onnxruntime.InferenceSession], facts: loading.Facts) -> None:
        self.sessions, self.facts = sessions, facts
        self.name, self.size, self.modes = facts.name, facts.size, facts.modes
        self.by_pixel = "queries" in loading.inputs_of(sessions[RENDER])

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", threads: int | None = None) -> OnnxAnimator:
        """Load the graphs in a folder, for one of PROVIDERS. Raises OnnxError for what cannot be used."""
        if not _is_folder(folder):
            shown = folder or repr(folder)
            raise OnnxError(f"{shown} is no folder; one with exported graphs was wanted. Make it by animate.py export.")
        return cls(*loading.load_graphs(Path(folder), device, threads))

    def animate(
        self, source: Array, frames: Iterable[Array], options: Options | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Animate a picture (H, W, C) by frames (H, W, C) of integers or floats in [0, 1].

        Yields batches (b, size, size, 3) in [0, 1], in order. Raises OnnxError for what it cannot use.
        """
        options = options or Options()
        mode, frames = self._mode(options), iter_again(frames, options.anchor)
        picture = self._pictures([source], "source")
        own = self.motion(picture)
        state = {f"{SOURCE}.{name}": value for name, value in own.items()}
        state |= self.run_graph(PREPARE, {SOURCE: picture, **state})
        first, rest = _anchor(frames, options.anchor)
        anchor = self.motion(self._pictures([first], "anchor")) if mode == RELATIVE else None
        scale = movement_scale(own, anchor) if anchor is not None and options.adapt_scale else 1.0
        for batch in _batches(rest, options.batch):
            motion = self.motion(self._pictures(batch, "driving"))
            if anchor is not None:
                motion = relative(own, anchor, motion, scale, options.relative_jacobian)
            elif mode == AVD:
                posed = self.run_graph(AVD, {**state, **motion})
                motion |= {name.removeprefix(POSED): value for name, value in posed.items()}
            elif options.background:
                motion |= self.run_graph(BACKGROUND, {**state, **motion})
            yield self.render(state, self._strengthened(own, motion, options.strength))

    def motion(self, pictures: NDArray[np.float32]) -> Arrays:
        """Read the poses of pictures (B, 3, size, size)."""
        return self.run_graph(MOTION, {"frames": pictures})

    def render(self, state: Arrays, motion: Arrays) -> NDArray[np.float32]:
        """Draw the source in B poses: (B, size, size, 3) in [0, 1]."""
        count = len(motion.get("points", ()))
        if BACKGROUND in loading.inputs_of(self.sessions[RENDER]) and BACKGROUND not in motion:
            motion = {**motion, BACKGROUND: np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))}
        if not self.by_pixel:
            pictures = self.run_graph(RENDER, {**state, **motion})["pictures"]
            return within_unit(np.moveaxis(pictures, 1, -1))
        queries = np.arange(count * self.size**2, dtype=np.int64)
        parts = np.split(queries, range(PIXELS, len(queries), PIXELS))
        colours = [self.run_graph(RENDER, {**state, **motion, "queries": part})["colours"] for part in parts]
        return np.reshape(within_unit(np.concatenate(colours)), (count, self.size, self.size, 3))

    def _strengthened(self, own: Arrays, motion: Arrays, strength: float) -> Arrays:
        if strength == 1.0:
            return motion
        return strengthened(own, motion, strength, self.facts.pose_extras, self.facts.unsigned_frames)

    def _mode(self, options: Options) -> str:
        """Return the mode; raises OnnxError for what the model does not offer."""
        default = RELATIVE if RELATIVE in self.modes else self.modes[0]
        mode = default if options.mode is None else options.mode
        if mode not in self.modes:
            raise OnnxError(f"mode is {mode!r}; {self.name} offers {', '.join(self.modes)}. Choose one of these.")
        if options.background and (mode != STANDARD or BACKGROUND not in self.sessions):
            able = (
                "moves its background only in the mode standard" if BACKGROUND in self.sessions else "cannot move any"
            )
            raise OnnxError(f"background was given; {self.name} {able}. Leave it out.")
        if options.strength != 1.0 and self.facts.keeps_pose:
            raise OnnxError(f"strength was given; {self.name} keeps the pose of its driving frames. Leave it out.")
        given = isinstance(options.anchor, np.ndarray) or options.anchor != 0
        if mode != RELATIVE and (given or not options.relative_jacobian or not options.adapt_scale):
            raise OnnxError(
                f"anchor, relative_jacobian or adapt_scale was given; the mode {mode} adds no movement. Leave it out."
            )
        return mode

    def _pictures(self, pictures: Sequence[Array], name: str) -> NDArray[np.float32]:
        return np.stack([fit(picture, self.size, name) for picture in pictures])

    def run_graph(self, graph: str, values: Mapping[str, Array]) -> Arrays:
        """Run a graph on those of the named values that it takes, and name its results."""
        if graph not in self.sessions:
            raise OnnxError(f"graph is {graph!r}; {self.name} has {', '.join(self.sessions)}. Choose one of these.")
        session = self.sessions[graph]
        needed, made = loading.inputs_of(session), loading.outputs_of(session)
        missing = [name for name in needed if name not in values]
        if missing:
            raise OnnxError(f"The graph {graph} was given no {', '.join(missing)}; all inputs are needed. Add it.")
        try:
            results = session.run(made, {name: values[name] for name in needed})
        except (
            *loading.FAULTS,
            RuntimeError,
            ValueError,
            TypeError,
        ) as error:  # the last: no arrays
            reason = " ".join(str(error).split())[:LONGEST_REASON]
            raise OnnxError(f"The graph {graph} cannot be run ({reason}). Check what it is given.") from error
        return dict(zip(made, results, strict=True))


def iter_again(frames: Iterable[Array], anchor: int | Array) -> Iterable[Array]:
    """Return the frames; OnnxError where they are none, or can be read once only and the anchor is not the first."""
    if not _are_many(frames):
        raise OnnxError(f"driving is {frames!r}; frames (height, width, channels) were wanted. Give them as a list.")
    if not isinstance(anchor, np.ndarray) and anchor and iter(frames) is frames:
        raise OnnxError(f"anchor is {anchor}; driving frames that can be read twice were wanted. Give them as a list.")
    return frames


def _anchor(frames: Iterable[Array], anchor: int | Array) -> tuple[Array, Iterator[Array]]:
    """Return the anchor's picture, and all driving frames."""
    rest = iter(frames)
    first = [*islice(rest, 1)]
    if not first:
        raise OnnxError("driving has 0 frames; at least 1 is needed. Check the video.")
    if isinstance(anchor, np.ndarray):
        return anchor, chain(first, rest)
    reachable = 0 < anchor < sys.maxsize
    found = first if anchor == 0 else [*islice(frames, anchor, anchor + 1)] if reachable else []
    if not found:
        raise OnnxError(f"anchor is {anchor}; there is no such driving frame. Choose one from 0 on.")
    return found[0], chain(first, rest)


def _batches(frames: Iterator[Array], size: int) -> Iterator[list[Array]]:
    while batch := list(islice(frames, size)):
        yield batch


def relative(own: Arrays, anchor: Arrays, motion: Arrays, scale: float, jacobians: bool) -> Arrays:
    """Add the change since the anchor to the source's own pose: p = p_s + c (p_t - p_0), J = J_t J_0^-1 J_s."""
    moved: Arrays = {**motion, "points": own["points"] + scale * (motion["points"] - anchor["points"])}
    if jacobians and "jacobians" in motion:
        moved["jacobians"] = motion["jacobians"] @ inverse_2x2(anchor["jacobians"]) @ own["jacobians"]
    return moved


def movement_scale(own: Arrays, anchor: Arrays) -> float:
    """Compute sqrt(hull area) of the source's points over that of the anchor's; 1 where either hull is flat."""
    ours, theirs = hull_area(own["points"][0]), hull_area(anchor["points"][0])
    return math.sqrt(ours) / math.sqrt(theirs) if ours and theirs else 1.0


def hull_area(points: Array) -> float:
    """Compute the area of the convex hull of points (N, 2), by monotone chains; 0 where it is flat."""
    if len(points) < 3 or not np.isfinite(points).all():
        return 0.0
    ordered = sorted((float(x), float(y)) for x, y in points)
    hull: list[tuple[float, float]] = []
    for line in (ordered, ordered[::-1]):
        half: list[tuple[float, float]] = []
        for point in line:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        hull += half[:-1]
    area = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(hull, hull[1:] + hull[:1], strict=True)) / 2
    return area if area > FLAT else 0.0


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def inverse_2x2(matrix: Array) -> Array:
    """Invert matrices (..., 2, 2); a determinant closer to zero than 1e-12 is taken as that, with its sign."""
    a, b, c, d = _entries(matrix)
    determinant = a * d - b * c
    floor = np.where(determinant < 0, -TINY_DETERMINANT, TINY_DETERMINANT).astype(matrix.dtype)
    determinant = np.where(np.abs(determinant) < TINY_DETERMINANT, floor, determinant)
    return _matrix(d, -b, -c, a) / determinant[..., None, None]


def strengthened(own: Arrays, motion: Arrays, strength: float, extras: Sequence[str], unsigned: bool) -> Arrays:
    """Go `strength` of the way from the source's own pose to others: places on lines, linear maps by their powers.

    With `unsigned`, a map and its negative mean the same. `extras` name what else describes the pose.
    """
    moved: Arrays = {**motion, "points": own["points"] + strength * (motion["points"] - own["points"])}
    if "jacobians" in motion:
        change = motion["jacobians"] @ inverse_2x2(own["jacobians"])
        if unsigned:
            trace = change[..., 0, 0] + change[..., 1, 1]
            change = np.where((trace < 0)[..., None, None], -change, change)
        still = own["jacobians"] + 0 * motion["jacobians"]
        moved["jacobians"] = power_2x2(change, strength) @ own["jacobians"] if strength else still
    for name in set(extras) & set(motion):
        weight = min(strength, 1.0) if motion[name].ndim == 4 else strength
        moved[name] = motion[name] if weight == 1 else own[name] + weight * (motion[name] - own[name])
    return moved


def power_2x2(maps: Array, share: float) -> Array:
    """Raise maps (..., 2, 2) to a power, by polar decomposition; on a line where the determinant is not positive."""
    a, b, c, d = _entries(maps)
    determinant, angle = a * d - b * c, np.arctan2(c - b, a + d)
    with np.errstate(all="ignore"):  # where there is no power, the line is taken
        powered = _rotation(share * angle) @ _symmetric_power(_rotation(-angle) @ maps, determinant, share)
    line = np.eye(2, dtype=maps.dtype) + share * (maps - np.eye(2, dtype=maps.dtype))
    return np.where((determinant > 0)[..., None, None], powered, line)


def _symmetric_power(maps: Array, determinant: Array, share: float) -> Array:
    a, b, c = maps[..., 0, 0], (maps[..., 0, 1] + maps[..., 1, 0]) / 2, maps[..., 1, 1]
    tiny = np.finfo(maps.dtype).tiny
    large = np.maximum((a + c) / 2 + np.sqrt(np.square((a - c) / 2) + b * b), tiny)
    small = np.maximum(determinant / large, tiny)
    gap = large - small
    equal = gap < LEAST_GAP * large
    slope = np.where(equal, share * large ** (share - 1), (large**share - small**share) / np.where(equal, 1, gap))
    rest = small**share - slope * small
    return _matrix(slope * a + rest, slope * b, slope * b, slope * c + rest).astype(maps.dtype)


def _rotation(angle: Array) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return _matrix(cos, -sin, sin, cos)


def _entries(maps: Array) -> tuple[Array, Array, Array, Array]:
    return maps[..., 0, 0], maps[..., 0, 1], maps[..., 1, 0], maps[..., 1, 1]


def _matrix(a: Array, b: Array, c: Array, d: Array) -> Array:
    return np.reshape(np.stack([a, b, c, d], axis=-1), (*a.shape, 2, 2))


def main(argv: Sequence[str] | None = None) -> int:
    """Animate a picture file by a video file, and return the exit status; errors are one line."""
    parser = argparse.ArgumentParser(description="Animate a picture by a video with an exported model.")
    for name in ("source", "driving", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="what animate.py export wrote")
    parser.add_argument("--mode", choices=loading.MODES, help="default: relative, if the model offers it")
    parser.add_argument("--background", action="store_true", help="in the mode standard: move it too, if it can be")
    parser.add_argument("--anchor", type=int, default=0, help="measure movement from this frame (default: 0)")
    parser.add_argument("--strength", type=float, default=1.0, help="of the movement, 0 to 4 (default: 1)")
    parser.add_argument("--batch", type=int, default=4, help="frames at once (default: 4)")
    parser.add_argument("--device", default="cpu", help=f"one of {', '.join(loading.PROVIDERS)} (default: cpu)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: all)")
    args = parser.parse_args(argv)
    try:
        options = Options(args.mode, args.anchor, args.strength, background=args.background, batch=args.batch)
        animator = OnnxAnimator.load(args.model, args.device, args.threads)
        source, video = read_picture(args.source), Video(args.driving)
        given = {"the source picture": [args.source], "the exported model": [*args.model.iterdir()]}
        done = write_video(args.output, animator.animate(source, video, options), video, given)
    except OnnxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {args.output}: {done} frames.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
