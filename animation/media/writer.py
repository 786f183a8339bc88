"""Writers of a result, frame by frame, in the format that its name asks for."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.atomic_file import AtomicFile
from ...core.errors import InputError
from .animated_picture import GifWriter, WebpWriter
from .audio import AudioFeed, has_sound
from .frame_times import FrameTimes
from .frame_writer import FrameWriter
from .output_file import OutputFile
from .output_format import FORMATS
from .picture_sequence import PictureSequence
from .video_track import VideoTrack

_log = logging.getLogger(__name__)
_SILENT: dict[str, type[FrameWriter]] = {".gif": GifWriter, ".webp": WebpWriter, ".png": PictureSequence}
SUFFIXES = (*FORMATS, *_SILENT)


def open_writer(
    path: str | Path, times: float | Fraction | FrameTimes, audio_from: str | Path | None = None
) -> FrameWriter:
    """Choose the writer by the suffix of `path`: a video, an animated picture, or numbered pictures.

    `.mp4`, `.m4v`, `.mov`, `.mkv` and `.webm` are videos with the sound of the file `audio_from`; `.gif` and `.webp`
    are animated pictures, `.png` is one numbered file per frame, and none of these has sound. `times` are those of a
    clip's frames, or frames per second. Raises InputError for another suffix.

    >>> with open_writer("result.gif", clip.times) as writer:
    ...     writer.write(frames)  # (B, 3, H, W), as often as wanted
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return VideoWriter(path, times, audio_from)
    if suffix not in _SILENT:
        raise InputError(
            f"{path} ends in {suffix or 'no suffix'}; one of {', '.join(SUFFIXES)} was wanted. Rename the output."
        )
    writer = _SILENT[suffix](path, times)
    if audio_from is not None and has_sound(Path(audio_from)):
        _log.info("%s files hold no sound: that of %s is left out", suffix, audio_from)
    return writer


class VideoWriter(FrameWriter):
    """Writer of a video, in flat memory; use it in a `with` block.

    The video is H.264 (webm: VP9), yuv420p, BT.709, in an mp4 with the index in front for the web; `crf` from 0
    (lossless) to 51 is its quality, `preset` x264's trade of speed for size; a frame in `keyframes` is one at which
    decoding can start, x264's choice by default. A constant rate is kept exactly (29.97 is
    30000/1001); uneven times are stored as they are. Video needs even sides: an odd one is padded by repeating the
    last row or column. `audio_from` names the file whose sound is carried over, copied where the container can hold
    it and it is in one of the codecs `copied` (None: in any), else encoded, and cut to the length of the video. For
    when the file appears, see `FrameWriter`.
    """

    def __init__(
        self,
        path: str | Path,
        times: float | Fraction | FrameTimes,
        audio_from: str | Path | None = None,
        *,
        crf: int = 18,
        preset: str = "medium",
        keyframes: int | None = None,
        copied: frozenset[str] | None = None,
    ) -> None:
        super().__init__(path, times)
        found = FORMATS.get(self.path.suffix.lower())
        if found is None:
            raise InputError(f"{self.path} does not end in {', '.join(FORMATS)}; one was wanted. Rename the output.")
        if not 0 <= crf <= 51:
            raise InputError(f"crf is {crf}; 0 (lossless) to 51 (worst) was wanted. 18 looks like the original.")
        self._format = found if copied is None else replace(found, copied=found.copied & copied)
        self._quality = {"crf": str(crf), "preset": preset}
        if keyframes is not None:
            self._quality["g"] = str(keyframes)
        self._audio_from = None if audio_from is None else Path(audio_from)
        self._file = AtomicFile(self.path)
        self._audio: AudioFeed | None = None
        self._output: OutputFile | None = None
        self._video: VideoTrack | None = None

    def _begin(self) -> None:
        if self._audio_from is not None:
            self._audio = AudioFeed(self._audio_from, self.times.origin)
        self._output = OutputFile(self._file.part, self._format.form, dict(self._format.options))

    def _add(self, picture: NDArray[np.uint8]) -> None:
        video = self._video or self._opened_video(picture.shape[0], picture.shape[1])
        video.write(picture)
        if self._audio is not None:
            self._audio.advance(self.times.start(video.written) * self.times.tick)

    def _opened_video(self, height: int, width: int) -> VideoTrack:
        assert self._output is not None  # it is open as long as frames are taken
        self._video = VideoTrack(self._output, self._format.video, (height, width), self.times, self._quality)
        if self._audio is not None:
            self._audio.attach(self._output, self._format)
        return self._video

    def _finish(self) -> None:
        assert self._output is not None and self._video is not None  # frames were written
        self._video.finish()
        if self._audio is not None:
            self._audio.finish()
        self._output.close()
        self._release()  # before the rename: on some systems an open file cannot be replaced
        self._file.commit()

    def _discard(self) -> None:
        self._release()
        self._file.discard()

    def _release(self) -> None:
        """Close both files, whatever state they are in."""
        if self._audio is not None:
            self._audio.close()
        if self._output is not None:
            self._output.abandon()
        self._audio = self._output = None
