"""Reading of pictures, and of videos as clips that are decoded while they are iterated."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import torch
from av.error import FFmpegError
from av.video.frame import VideoFrame
from torch import Tensor

from ...core.errors import InputError, MediaError
from .container import decoded, open_media, shown_stamps, video_stream
from .frame_rate import clip_rate
from .orientation import orientation_of
from .picture import read_picture

__all__ = ["VideoClip", "read_picture"]

# Keyframes of these restart decoding exactly; in others (gif, mpeg) they may only look like it.
_SEEKABLE = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})


class VideoClip:
    """Video file as a `Clip`: uint8 RGB in [0, 255], upright, decoded anew on each pass in flat memory.

    The length is counted from the packets, because headers lie. Where some of them do not decode (a
    truncated or damaged file), `chunks` ends earlier, never later, and the length is corrected once a pass
    has run to its end. Raises MediaError for a file that is missing or unreadable, has no video stream, or
    of which not one frame decodes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with contextlib.closing(open_media(self.path)) as container:
            stream = video_stream(container, self.path)
            self.has_audio = bool(container.streams.audio)
            stamps = shown_stamps(container, stream)
            times = [time for time in stamps if time is not None]
            self._fps = clip_rate(stream.average_rate or stream.guessed_rate, times, stream.time_base)
        self._count = len(stamps)
        self._damaged = False  # found while decoding
        self._times: array[int] | None = None  # of every frame, once a pass has shown that it can seek by them
        first = next(self._decoded(), None)
        if first is None or self._count == 0:
            raise MediaError(f"{self.path} has 0 frames that decode; at least 1 is needed. Export the file anew.")
        self._width, self._height = first.width, first.height
        self._orientation = orientation_of(first)

    @property
    def fps(self) -> Fraction:
        """Frames per second, exact; the mean where the file's rate varies."""
        return self._fps

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Tensor:
        """Read frame `index` as (1, H, W, 3): decoded from the start, or from the keyframe before after a full pass.

        Raises InputError outside [0, len), MediaError where the frame is one of those that do not decode.
        """
        if not 0 <= index < self._count:
            raise InputError(f"frame {index} was asked of {self._count} in {self.path}; choose 0 to {self._count - 1}.")
        found = self._sought(index) or next(islice(self._decoded(), index, None), None)
        if found is None:
            raise MediaError(f"frame {index} of {self.path} does not decode; the file is damaged. Choose one before.")
        return self._picture(found).unsqueeze(0)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order as (B, H, W, 3), `size` at a time; the last chunk may be shorter."""
        if size < 1:
            raise InputError(f"chunk size is {size}; at least 1 is needed. Set a larger batch.")
        stamps: list[int | None] = []
        batch: list[Tensor] = []
        for frame in islice(self._decoded(), self._count):
            stamps.append(frame.pts)
            batch.append(self._picture(frame))
            if len(batch) == size:
                yield torch.stack(batch)
                batch.clear()
        if batch:
            yield torch.stack(batch)
        self._learn(stamps)

    def _learn(self, stamps: list[int | None]) -> None:
        """Take over what a whole pass has shown: the true length, and the timestamps where they can be sought."""
        self._count = len(stamps)
        times = array("q", (stamp for stamp in stamps if stamp is not None))
        rising = all(before < after for before, after in pairwise(times))
        if rising and len(times) == len(stamps):
            self._times = times

    def _decoded(self, seek_to: int | None = None) -> Iterator[VideoFrame]:
        """Decode frames in the order they are shown, from the keyframe at or before `seek_to`, without damaged ones."""
        done = 0
        if not self._damaged:
            with contextlib.suppress(FFmpegError):
                for frame in decoded(self.path, "AUTO", seek_to):
                    yield frame
                    done += 1
                if done >= self._count or seek_to is not None:
                    return
            self._damaged = True  # frames in other threads got lost with a damaged one: do without threads from now on
        yield from islice(decoded(self.path, "SLICE", seek_to), done, None)

    def _sought(self, index: int) -> VideoFrame | None:
        """Find a frame by its timestamp; None where only decoding from the start is sure to find it."""
        if self._times is None or self._damaged:
            return None
        with contextlib.closing(open_media(self.path)) as container:
            if video_stream(container, self.path).codec.canonical_name not in _SEEKABLE:
                return None
        time = self._times[index]
        return next((frame for frame in self._decoded(seek_to=time) if frame.pts == time), None)

    def _picture(self, frame: VideoFrame) -> Tensor:
        # PyAV up to 16 decodes BT.709 as BT.601 unless a target is named, though RGB has no such choice.
        pixels = frame.to_ndarray(format="rgb24", width=self._width, height=self._height, dst_colorspace="DEFAULT")
        return self._orientation.upright(torch.as_tensor(pixels))  # (H, W, 3)
