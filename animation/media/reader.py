"""Reading of videos as clips that are decoded while they are iterated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import dropwhile, islice, pairwise
from pathlib import Path

from av.error import FFmpegError
from av.video.frame import VideoFrame
from torch import Tensor

from ...core.errors import MediaError
from ..frames import without_alpha
from .clip import TimedClip, check_index, in_chunks
from .colour import RgbConverter
from .container import decoded, open_media, video_stream
from .frame_times import FrameTimes
from .orientation import orientation_of
from .picture import read_picture
from .timeline import scan_media

__all__ = ["VideoClip", "read_picture"]

# Keyframes of these restart decoding exactly; in others (gif, mpeg) they may only look like it.
SEEKABLE = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})


class VideoClip(TimedClip):
    """Video file as a `Clip`: uint8 RGB in [0, 255], upright, decoded anew on each pass in flat memory.

    Every frame keeps its time (`times`). The length is counted from the packets, because headers lie. Where some of
    them do not decode (a truncated or damaged file), `chunks` ends earlier, never later, and length and times are
    corrected as a pass finds it. Transparent parts are white. Raises MediaError for a file that is missing or
    unreadable, has no video stream, too large frames, or of which not one frame decodes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with contextlib.closing(open_media(self.path)) as container:
            stream = video_stream(container, self.path)
            self.has_audio = bool(container.streams.audio)
            declared = stream.average_rate or stream.guessed_rate
        stamps = scan_media(self.path).video
        assert stamps is not None  # there is a video stream
        self.times = FrameTimes.of_file(stamps, declared)
        self._damaged = False  # found while decoding
        self._stamps: list[int] | None = None  # of every frame, once a pass has shown that it can seek by them
        first = next(self._decoded(), None)
        if first is None or len(self) == 0:
            raise MediaError(f"{self.path} has 0 frames that decode; at least 1 is needed. Export the file anew.")
        self.times.found(0, first.pts)
        self._orientation = orientation_of(first)
        self._size = first.width, first.height

    @property
    def sound(self) -> Path | None:
        """File whose sound belongs to the clip."""
        return self.path

    def frame(self, index: int) -> Tensor:
        """Read frame `index` as (1, H, W, 3): decoded from the start, or from the keyframe before after a full pass.

        Raises InputError outside [0, len), MediaError where the frame is one of those that do not decode.
        """
        check_index(index, len(self), self.path)
        found = self._sought(index) or next(islice(self._decoded(), index, None), None)
        if found is None:
            raise MediaError(f"frame {index} of {self.path} does not decode; the file is damaged. Choose one before.")
        return self._picture(found, RgbConverter(*self._size)).unsqueeze(0)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield all frames in order as (B, H, W, 3), `size` at a time or fewer large ones; the last may be shorter."""
        return in_chunks(self._pictures(), size, self._size[0] * self._size[1])

    def chunks_from(self, start: int, size: int) -> Iterator[Tensor]:
        """Yield the frames from `start` on, as `chunks` does: from the keyframe before, once a pass has been made."""
        convert = RgbConverter(*self._size)
        if self._stamps is not None and self._can_seek():
            time = self._stamps[start]
            frames = dropwhile(lambda frame: frame.pts != time, self._decoded(seek_to=time))
        else:
            frames = islice(self._decoded(), start, None)
        pictures = (self._picture(frame, convert) for frame in islice(frames, len(self) - start))
        return in_chunks(pictures, size, self._size[0] * self._size[1])

    def _pictures(self) -> Iterator[Tensor]:
        stamps: list[int | None] = []
        convert = RgbConverter(*self._size)
        for frame in islice(self._decoded(), len(self)):
            self.times.found(len(stamps), frame.pts)
            stamps.append(frame.pts)
            yield self._picture(frame, convert)
        self.times.cut(len(stamps))
        known = [stamp for stamp in stamps if stamp is not None]
        if len(known) == len(stamps) and all(before < after for before, after in pairwise(known)):
            self._stamps = known

    def _decoded(self, seek_to: int | None = None) -> Iterator[VideoFrame]:
        """Decode frames in the order they are shown, from the keyframe at or before `seek_to`, without damaged ones."""
        done = 0
        if not self._damaged:
            with contextlib.suppress(FFmpegError):
                for frame in decoded(self.path, "AUTO", seek_to):
                    yield frame
                    done += 1
                if seek_to is not None or done >= len(self):
                    return
            self._damaged = True  # frames in other threads got lost with a damaged one: do without threads from now on
        yield from islice(decoded(self.path, "SLICE", seek_to), done, None)

    def _sought(self, index: int) -> VideoFrame | None:
        """Find a frame by its timestamp; None where only decoding from the start is sure to find it."""
        if self._stamps is None or not self._can_seek():
            return None
        time = self._stamps[index]
        return next((frame for frame in self._decoded(seek_to=time) if frame.pts == time), None)

    def _can_seek(self) -> bool:
        """Tell whether decoding from a keyframe is sure to find a frame by its timestamp."""
        if self._stamps is None or self._damaged:
            return False
        with contextlib.closing(open_media(self.path)) as container:
            return video_stream(container, self.path).codec.canonical_name in SEEKABLE

    def _picture(self, frame: VideoFrame, convert: RgbConverter) -> Tensor:
        return self._orientation.upright(without_alpha(convert(frame)))  # (H, W, 3)
