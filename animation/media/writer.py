"""Writing a video frame by frame, with the sound of another file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

from av.error import FFmpegError
from torch import Tensor

from ...core.atomic_file import AtomicFile
from ...core.errors import InputError, MediaError
from .audio import AudioFeed
from .frame_rate import exact_rate
from .mp4_output import Mp4Output
from .video_track import VideoTrack, eight_bit_pictures

_SUFFIXES = (".mp4", ".m4v")


class VideoWriter:
    """Writes an mp4 in flat memory; use it in a `with` block.

    The video is H.264, yuv420p, BT.709, with the index in front for the web; `crf` from 0 (lossless) to 51
    is its quality, `preset` x264's trade of speed for size. `fps` is kept exactly (29.97 is 30000/1001).
    H.264 needs even sides: an odd one is padded by repeating the last row or column. `audio_from` names the
    file whose sound is carried over, copied where mp4 can hold it, else as AAC, and cut to the length of the
    video. The file appears under its name, replacing an older one, only when the block ends well; an error
    or a cancel inside leaves nothing. Raises MediaError or InputError at the earliest point it can know.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | Fraction,
        audio_from: str | Path | None = None,
        *,
        crf: int = 18,
        preset: str = "medium",
    ) -> None:
        self.path = Path(path)
        self.fps = exact_rate(fps)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise InputError(f"{self.path} does not end in .mp4; only mp4 is written. Rename the output.")
        if not 0 <= crf <= 51:
            raise InputError(f"crf is {crf}; 0 (lossless) to 51 (worst) was wanted. 18 looks like the original.")
        self._audio_from = None if audio_from is None else Path(audio_from)
        self._options = {"crf": str(crf), "preset": preset}
        self._file = AtomicFile(self.path)
        self._audio: AudioFeed | None = None
        self._output: Mp4Output | None = None
        self._video: VideoTrack | None = None

    def __enter__(self) -> VideoWriter:
        if self._audio_from is not None:
            self._audio = AudioFeed(self._audio_from)
        try:
            self._output = Mp4Output(self._file.part)
        except FFmpegError as error:
            self._release()
            raise self._refused(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._release()
            self._file.discard()

    def write(self, frames: Tensor) -> None:
        """Append frames (B, 3, H, W): float in [0, 1] (clamped), or uint8. All calls must agree on H and W.

        Raises InputError for another shape or type, MediaError where the encoder or the disk refuses.
        """
        try:
            for picture in eight_bit_pictures(frames):
                video = self._opened_video(picture.shape[0], picture.shape[1])
                video.write(picture)
                if self._audio is not None:
                    self._audio.advance(video.written / self.fps)
        except FFmpegError as error:
            raise self._refused(error) from error

    def _opened_video(self, height: int, width: int) -> VideoTrack:
        """The video track; the first frame's size opens it."""
        if self._output is None:
            raise MediaError(f"{self.path} is not open for writing. Write inside the `with` block.")
        if self._video is None:
            self._video = VideoTrack(self._output, (height, width), self.fps, self._options)
            if self._audio is not None:
                self._audio.attach(self._output)
        return self._video

    def _finish(self) -> None:
        if self._video is None or self._output is None:
            raise MediaError(f"0 frames were written to {self.path}; at least 1 is needed. Check the driving clip.")
        try:
            self._video.finish()
            if self._audio is not None:
                self._audio.finish()
            self._output.close()
        except FFmpegError as error:
            raise self._refused(error) from error
        self._release()  # before the rename: on some systems an open file cannot be replaced
        self._file.commit()

    def _release(self) -> None:
        """Close both files, whatever state they are in."""
        if self._audio is not None:
            self._audio.close()
        if self._output is not None:
            self._output.abandon()
        self._audio = self._output = None

    def _refused(self, error: FFmpegError) -> MediaError:
        return MediaError(f"{self.path} cannot be written ({error.strerror}). Check free space, rights and frame size.")
