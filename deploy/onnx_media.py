"""Pictures and videos for `onnx_animator.py`: conversion by NumPy, files by PyAV, imported where it is needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"

WHITE: dict[np.dtype[Any], float] = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
SUFFIXES = (".mp4", ".mov", ".mkv")
MARGIN = 1.0  # beyond 0..1, where sharpening or resizing leads; it is cut off
COPIED = {"aac", "mp3", "ac3"}  # sound that all of these hold as it is
MATRICES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
FULL_RANGE = 2
SD_WIDTH, SD_HEIGHT = 1280, 576  # a video that states no matrix is taken for BT.601 below, and up to these
BT709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


class OnnxError(Exception):
    """Model, file or option that cannot be used. Its text is one line: what came, what was wanted, what to do."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


def fit(picture: Array, size: int, name: str) -> NDArray[np.float32]:
    """Convert a picture (H, W, 1 to 4 channels) of bytes, 16 bits or floats to (3, size, size) in [0, 1].

    Alpha is laid over white; the picture is stretched, bilinear.
    """
    if not isinstance(picture, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OnnxError(f"{name} holds {type(picture).__name__}; arrays (height, width, channels) were wanted.")
    if picture.ndim != 3 or picture.shape[2] not in (1, 2, 3, 4) or 0 in picture.shape:
        raise OnnxError(f"{name} has shape {picture.shape}; (height, width, 1 to 4 channels) was wanted. Reshape it.")
    white = WHITE.get(np.dtype(picture.dtype.type))  # in whichever order of bytes
    if white is None and not np.issubdtype(picture.dtype, np.floating):
        raise OnnxError(f"{name} holds {picture.dtype} values; floats in 0..1, uint8 or uint16 were wanted.")
    if white is None and not np.isfinite(picture).all():
        raise OnnxError(f"{name} holds NaN or infinite values; numbers in 0..1 were wanted. Check what made it.")
    if white is None and not (picture.min() >= -MARGIN and picture.max() <= 1 + MARGIN):
        raise OnnxError(f"{name} holds numbers up to {np.abs(picture).max():g}; 0..1 was wanted. Divide them.")
    values: Array = np.asarray(picture, np.float32)
    values = within_unit(values) if white is None else values / white
    if values.shape[2] % 2 == 0:
        share = values[..., -1:]
        values = 1 - share + share * values[..., :-1]
    rows = np.broadcast_to(values, (*values.shape[:2], 3))
    return np.ascontiguousarray(np.moveaxis(_resized(_resized(rows, size, 0), size, 1), -1, 0))


def within_unit(values: Array) -> Array:
    """Bring values into [0, 1]."""
    return np.minimum(np.maximum(values, 0), 1)


def _resized(values: Array, size: int, axis: int) -> Array:
    """Resize one axis, bilinear, without a filter: places of pixels are those of their centres."""
    count = values.shape[axis]
    if count == size:
        return values
    places: Array = np.maximum((np.arange(size, dtype=np.float32) + 0.5) * (count / size) - 0.5, 0)
    before = places.astype(np.int64)
    share = np.expand_dims((places - before).astype(np.float32), [i for i in range(values.ndim) if i != axis])
    first, second = values.take(before, axis), values.take(np.minimum(before + 1, count - 1), axis)
    return (1 - share) * first + share * second


def _av() -> Any:
    """Import PyAV; OnnxError where it is not installed."""
    try:
        return import_module("av")
    except ImportError as error:
        raise OnnxError("Files are read and written by PyAV, which is not installed. Run: pip install av") from error


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture file as (H, W, 3), or (H, W, 4) where it is transparent."""
    return next(iter(Video(path)))


class Video:
    """Video file as pictures (H, W, 3) of bytes, upright, decoded anew each time they are iterated over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.opened() as container:
            if not container.streams.video:
                raise OnnxError(f"{path} holds no pictures; a picture or a video was wanted. Choose another file.")
            stream = container.streams.video[0]
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        if next(iter(self), None) is None:
            raise OnnxError(f"{path} has 0 frames that decode; at least 1 is needed. Export the file anew.")

    def opened(self) -> Any:
        """Open the file."""
        av = _av()
        try:
            return av.open(os.fspath(self.path))
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or "no media file"
            raise OnnxError(f"{self.path} cannot be read ({reason}). Choose a picture or a video.") from error

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        av, graph, form = _av(), cast(Any, None), None
        with self.opened() as container:
            try:
                for frame in container.decode(video=0):
                    if (frame.width, frame.height, frame.format.name) != form:
                        graph, form = _converter(frame), (frame.width, frame.height, frame.format.name)
                    graph.vpush(frame)
                    yield np.rot90(graph.vpull().to_ndarray(), round(frame.rotation / 90) % 4)
            except av.FFmpegError as error:
                raise OnnxError(f"{self.path} is damaged ({error.strerror}). Export the file anew.") from error


def _converter(frame: Any) -> Any:
    """Make the filters that turn frames like this one into RGB, rounded to the nearest, by the matrix they state."""
    av, pixels = _av(), frame.format
    guessed = "bt709" if frame.width >= SD_WIDTH or frame.height > SD_HEIGHT else "smpte170m"
    full = frame.color_range == FULL_RANGE or pixels.name.startswith("yuvj")
    options = f"{frame.width}:{frame.height}:flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp"
    if not pixels.is_rgb:
        matrix = MATRICES.get(int(frame.colorspace), guessed)
        options += f":in_color_matrix={matrix}:in_range={'pc' if full else 'tv'}"
    graph = av.filter.Graph()
    alpha = any(
        part in pixels.name for part in ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8")
    )
    steps = [
        graph.add_buffer(width=frame.width, height=frame.height, format=pixels, time_base=Fraction(1, 1000)),
        graph.add("scale", options),
        graph.add("format", "rgba" if alpha else "rgb24"),
        graph.add("buffersink"),
    ]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()
    return graph


def resolve_output(path: Path, given: Mapping[str, Sequence[Path]]) -> Path:
    """Follow links to the video file that is to be written.

    `given` are files by what they are ("the driving video"). Raises OnnxError where none can be written, or where one
    of those would be overwritten, however it is spelled or linked.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OnnxError(
            f"{path} ends in {path.suffix or 'no suffix'}; one of {', '.join(SUFFIXES)} was wanted. Rename it."
        )
    target = Path(os.path.realpath(path))
    try:
        if not target.parent.is_dir():
            raise OnnxError(f"There is no folder {target.parent}; create it first.")
        if target.is_symlink():
            raise OnnxError(f"{path} is a link that leads in a circle; the name of a file was wanted. Choose another.")
        try:
            target.lstat()
        except FileNotFoundError:
            return target
        if not target.is_file():
            what = "folder" if target.is_dir() else "device or a pipe"
            raise OnnxError(f"{path} is a {what}; the name of a file was wanted. Choose another.")
        for name, files in given.items():
            if any(file.exists() and file.samefile(target) for file in files):
                raise OnnxError(f"{path} would overwrite {name}. Choose another name.")
        if not os.access(target, os.W_OK):
            raise OnnxError(f"{path} is there and write-protected. Choose another name or allow writing.")
    except OSError as error:
        raise OnnxError(f"{path} cannot be written ({error.strerror}). Choose another name.") from error
    return target


def write_video(
    path: Path, batches: Iterable[NDArray[np.float32]], like: Video, given: Mapping[str, Sequence[Path]] | None = None
) -> int:
    """Write pictures (b, H, W, 3) in [0, 1] as H.264, at a video's rate and with its sound; return their number.

    The file takes its name when it is complete; links are followed. That video is not overwritten, nor the files
    `given`, by what they are. Raises OnnxError.
    """
    target, av = resolve_output(path, {"the driving video": [like.path], **(given or {})}), _av()
    try:
        with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as hidden:
            part = Path(hidden) / f"part{path.suffix}"
            with av.open(os.fspath(part), "w") as container:
                done = _write(container, batches, like)
            part.replace(target)
    except (av.FFmpegError, OSError) as error:
        raise OnnxError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error
    return done


def _write(container: Any, batches: Iterable[NDArray[np.float32]], like: Video) -> int:
    av, done = _av(), 0
    stream = container.add_stream("libx264", rate=like.rate, options={"crf": "18", **BT709})
    stream.pix_fmt = "yuv420p"
    with like.opened() as heard:
        sound = next((track for track in heard.streams.audio if track.codec.canonical_name in COPIED), None)
        copy = None if sound is None else container.add_stream_from_template(sound)
        for pictures in batches:
            for picture in np.rint(pictures * 255).astype(np.uint8):
                if not done:
                    stream.height, stream.width = picture.shape[0], picture.shape[1]
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
                frame.pts, frame.time_base = done, 1 / like.rate
                container.mux(stream.encode(frame))
                done += 1
        container.mux(stream.encode(None))
        for packet in heard.demux(sound) if copy is not None else ():
            if packet.dts is not None and float(packet.dts * packet.time_base) < done / like.rate:
                packet.stream = copy
                container.mux(packet)
    return done
