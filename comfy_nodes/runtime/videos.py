"""VIDEO values of ComfyUI, read as clips and made of files."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from uuid import uuid4

import folder_paths
from comfy_api.v0_0_2 import InputImpl

from ...animation.media.clip import FileClip
from ...animation.media.frames_clip import FramesClip, write_wave
from ...animation.media.open_clip import open_clip
from ..images import Components, Video

MADE_IN_MEMORY = Path("the video that was made in memory")


@contextmanager
def opened(video: Video) -> Generator[FileClip, None, None]:
    """Open a VIDEO as a clip, in its own file where it has one, else in a temporary one, or in memory if it is there.

    Temporary files are removed at the end of the block.
    """
    cut = getattr(video, "get_active_trim_window", tuple)()  # newer than the oldest ComfyUI that this pack runs in
    if isinstance(video, InputImpl.VideoFromComponents):
        with _temporary_folder() as folder:
            yield _in_memory(video.get_components(), folder)
    elif isinstance(source := video.get_stream_source(), str) and not any(cut):
        yield open_clip(source)
    else:
        with _temporary_folder() as folder:
            path = folder / "video.mp4"
            if isinstance(source, str) or any(cut):
                video.save_to(str(path))
            else:
                path.write_bytes(source.getbuffer())
            yield open_clip(path)


def _in_memory(content: Components, folder: Path) -> FileClip:
    """Make a clip of frames that are in memory; the sound goes into a file."""
    sound: Path | None = None
    if content.audio is not None:
        sound = folder / "sound.wav"
        write_wave(sound, content.audio["waveform"][0], int(content.audio["sample_rate"]))
    return FramesClip(content.images, Fraction(content.frame_rate), MADE_IN_MEMORY, sound)


@contextmanager
def _temporary_folder() -> Generator[Path, None, None]:
    root = _temporary_root()
    with TemporaryDirectory(prefix="first_order_motion_", dir=root) as folder:
        yield Path(folder)


def new_file() -> Path:
    """Choose a name for a video in ComfyUI's folder of temporary files, which it empties when it ends and starts."""
    return _temporary_root() / f"first_order_motion_{uuid4().hex}.mp4"


def _temporary_root() -> Path:
    root = Path(folder_paths.get_temp_directory())
    root.mkdir(parents=True, exist_ok=True)
    return root


def video_of(path: Path) -> Video:
    """Make a VIDEO of a file."""
    return cast(Video, InputImpl.VideoFromFile(str(path)))
