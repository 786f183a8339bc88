"""Animation by exported graphs, without PyTorch: NumPy and ONNX Runtime are enough, and PyAV for files.

Copy this file and `onnx_media.py` wherever they are needed, with the folder that `animate.py export` wrote.

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
from onnxruntime.capi import onnxruntime_pybind11_state as faults

if __package__:
    from .onnx_media import OnnxError, Video, fit, read_picture, within_unit, write_video
else:  # copied elsewhere
    from onnx_media import OnnxError, Video, fit, read_picture, within_unit, write_video

Array: TypeAlias = "NDArray[Any]"
Arrays: TypeAlias = "dict[str, NDArray[Any]]"

FORMAT = "1"
GRAPHS = MOTION, PREPARE, RENDER = ("motion", "prepare", "render")
AVD, BACKGROUND = OPTIONAL = ("avd", "background")
STANDARD, RELATIVE = "standard", "relative"
SOURCE, PREPARED, POSED = "source", "prepared.", "posed."
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
DAMAGE = (
    faults.Fail, faults.InvalidArgument, faults.InvalidGraph, faults.InvalidProtobuf, faults.NoModel,
    faults.NotImplemented, faults.RuntimeException,
)  # fmt: skip
PIXELS = 4096  # decoded at once by a model that decodes them singly
MOST_STRENGTH = 4.0
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
        if self.batch < 1:
            raise OnnxError(f"batch is {self.batch}; 1 or more was wanted. Leave it out for 4.")
        if not (math.isfinite(self.strength) and 0 <= self.strength <= MOST_STRENGTH):
            raise OnnxError(f"strength is {self.strength:g}; 0 to 4 was wanted. 1 leaves the motion as it is.")


class OnnxAnimator:
    """Exported model, ready to animate any number of pictures."""

    def __init__(self, sessions: Mapping[str, onnxruntime.InferenceSession], metadata: Mapping[str, str]) -> None:
        self.sessions, self.metadata = sessions, metadata
        self.name, self.size = metadata["name"], int(metadata["size"])
        self.modes = tuple(metadata["modes"].split(","))
        self.pose_extras = tuple(filter(None, metadata["pose_extras"].split(",")))
        self.by_pixel = "queries" in _inputs(sessions[RENDER])

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", threads: int | None = None) -> OnnxAnimator:
        """Load the graphs in a folder, for one of PROVIDERS. Raises OnnxError for what cannot be used."""
        folder, providers = Path(folder), providers_for(device)
        if not folder.is_dir():
            raise OnnxError(
                f"{folder} is no folder; one with exported graphs was wanted. Make it by animate.py export."
            )
        sessions: dict[str, onnxruntime.InferenceSession] = {}
        first: Mapping[str, str] = {}
        for name in (*GRAPHS, *OPTIONAL):
            path = folder / f"{name}.onnx"
            if name in OPTIONAL and name not in first["graphs"].split(","):
                continue
            sessions[name] = open_graph(_content(path), path, providers, threads)
            found = _metadata(path, name, sessions[name])
            first = first or found
            if found["architecture"] != first["architecture"]:
                raise OnnxError(
                    f"{path} is a graph of {found['name']}, and motion.onnx beside it one of {first['name']}. "
                    "Export all of them together."
                )
            if found["export"] != first["export"]:
                raise OnnxError(f"{path} is of another export than motion.onnx beside it. Export them together.")
        return cls(sessions, first)

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
        count = len(motion["points"])
        if BACKGROUND in _inputs(self.sessions[RENDER]) and BACKGROUND not in motion:
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
        return strengthened(own, motion, strength, self.pose_extras, self.metadata["unsigned_frames"] == "1")

    def _mode(self, options: Options) -> str:
        """Return the mode; raises OnnxError for what the model does not offer."""
        mode = options.mode or (RELATIVE if RELATIVE in self.modes else self.modes[0])
        if mode not in self.modes:
            raise OnnxError(f"mode is {mode!r}; {self.name} offers {', '.join(self.modes)}. Choose one of these.")
        if options.background and (mode != STANDARD or BACKGROUND not in self.sessions):
            able = (
                "moves its background only in the mode standard" if BACKGROUND in self.sessions else "cannot move any"
            )
            raise OnnxError(f"background was given; {self.name} {able}. Leave it out.")
        if options.strength != 1.0 and self.metadata["keeps_pose"] == "1":
            raise OnnxError(f"strength was given; {self.name} keeps the pose of its driving frames. Leave it out.")
        given = not (isinstance(options.anchor, int) and options.anchor == 0)
        if mode != RELATIVE and (given or not options.relative_jacobian or not options.adapt_scale):
            raise OnnxError(
                f"anchor, relative_jacobian or adapt_scale was given; the mode {mode} adds no movement. Leave it out."
            )
        return mode

    def _pictures(self, pictures: Sequence[Array], name: str) -> NDArray[np.float32]:
        return np.stack([fit(picture, self.size, name) for picture in pictures])

    def run_graph(self, graph: str, values: Mapping[str, Array]) -> Arrays:
        """Run a graph on those of the named values that it takes, and name its results."""
        session = self.sessions[graph]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {name: values[name] for name in _inputs(session)}), strict=True))


def providers_for(device: str) -> list[str]:
    """Name ONNX Runtime's providers for a device: its own, and the CPU's for what that one lacks."""
    known = onnxruntime.get_available_providers()
    usable = [name for name, provider in PROVIDERS.items() if provider in known]
    if device not in PROVIDERS or PROVIDERS[device] not in known:
        what = f"this ONNX Runtime offers {', '.join(usable)}"
        raise OnnxError(f"device is {device!r}; {what}. Choose one of these, or install the build that has it.")
    return list(dict.fromkeys([PROVIDERS[device], PROVIDERS["cpu"]]))


def _content(path: Path) -> bytes:
    """Read a file whole: a graph that is opened from its bytes can refer to no other file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OnnxError(f"{path} cannot be read ({error.strerror}). Export the model again.") from error


def open_graph(
    content: bytes, path: Path, providers: list[str], threads: int | None = None
) -> onnxruntime.InferenceSession:
    """Open a graph, of which messages name the path."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # what is wrong is said by the exceptions
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        settings.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(content, settings, providers=providers)
    except DAMAGE as error:
        raise OnnxError(f"{path} is damaged, or no graph that ONNX Runtime knows. Export the model again.") from error
    if session.get_providers()[0] != providers[0]:
        raise OnnxError(f"{providers[0]} cannot be used here: its driver or libraries are missing. Choose the CPU.")
    return session


def _metadata(path: Path, name: str, session: onnxruntime.InferenceSession) -> Mapping[str, str]:
    """Return what a graph says of itself. Raises OnnxError for one that was not exported to be this graph."""
    found = session.get_modelmeta().custom_metadata_map
    if "format" not in found or "graph" not in found:
        raise OnnxError(f"{path} was not made by animate.py export. Export the model with it.")
    if found["format"] != FORMAT:
        raise OnnxError(f"{path} is of export format {found['format']!r}; {FORMAT} was wanted. Export the model again.")
    if found["graph"] != name:
        raise OnnxError(f"{path} is the graph {found['graph']!r}; {name!r} was wanted. Export the model again.")
    return found


def _inputs(session: onnxruntime.InferenceSession) -> list[str]:
    return [entry.name for entry in session.get_inputs()]


def iter_again(frames: Iterable[Array], anchor: int | Array) -> Iterable[Array]:
    """Return the frames; OnnxError where they can be read once only, and the anchor is not the first of them."""
    if isinstance(anchor, int) and anchor and iter(frames) is frames:
        raise OnnxError(f"anchor is {anchor}; driving frames that can be read twice were wanted. Give them as a list.")
    return frames


def _anchor(frames: Iterable[Array], anchor: int | Array) -> tuple[Array, Iterator[Array]]:
    """Return the anchor's picture, and all driving frames."""
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise OnnxError("driving has 0 frames; at least 1 is needed. Check the video.")
    if not isinstance(anchor, int):
        return anchor, chain([first], rest)
    found = first if anchor == 0 else next(islice(frames, anchor, None), None) if anchor > 0 else None
    if found is None:
        raise OnnxError(f"anchor is {anchor}; there is no such driving frame. Choose one from 0 on.")
    return found, chain([first], rest)


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
    parser.add_argument("--mode", choices=[RELATIVE, STANDARD, AVD], help="default: relative, if the model offers it")
    parser.add_argument("--background", action="store_true", help="in the mode standard: move it too, if it can be")
    parser.add_argument("--anchor", type=int, default=0, help="measure movement from this frame (default: 0)")
    parser.add_argument("--strength", type=float, default=1.0, help="of the movement, 0 to 4 (default: 1)")
    parser.add_argument("--batch", type=int, default=4, help="frames at once (default: 4)")
    parser.add_argument("--device", default="cpu", help=f"one of {', '.join(PROVIDERS)} (default: cpu)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: all)")
    args = parser.parse_args(argv)
    try:
        options = Options(args.mode, args.anchor, args.strength, background=args.background, batch=args.batch)
        animator = OnnxAnimator.load(args.model, args.device, args.threads)
        source, video = read_picture(args.source), Video(args.driving)
        done = write_video(args.output, animator.animate(source, video, options), video)
    except OnnxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {args.output}: {done} frames.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
