"""Recordings of a browser as mp4: taken as they are where they fit, else encoded anew, with their sound."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Final

from ..animation.media.container import audio_stream, open_media, video_stream
from ..animation.media.reader import VideoClip
from ..animation.media.writer import VideoWriter

AT_ONCE: Final = 16  # frames
PRESET: Final = "veryfast"  # someone waits
PICTURES, SOUND = "h264", "aac"  # what every player takes
SIGNATURE: Final = b"ftyp"  # of mp4, behind four bytes


def to_mp4(recording: Path, result: Path) -> None:
    """Make an mp4 of H.264 and AAC, of the same length, of a recording. Raises MediaError for what is none."""
    if is_plain_mp4(recording):
        shutil.copyfile(recording, result)
        return
    clip = VideoClip(recording)
    with VideoWriter(result, clip.times, recording, preset=PRESET, copied=frozenset({SOUND})) as writer:
        for frames in clip.chunks(AT_ONCE):
            writer.write(frames.movedim(-1, 1))


def is_plain_mp4(path: Path) -> bool:
    """Tell whether a file is an mp4 that every player takes. Raises MediaError for what is no video."""
    with path.open("rb") as file:
        is_mp4 = file.read(8)[4:] == SIGNATURE
    with closing(open_media(path)) as container:
        video, sound = video_stream(container, path), audio_stream(container)
        plays = video.codec.canonical_name == PICTURES and (sound is None or sound.codec.canonical_name == SOUND)
        return is_mp4 and plays
