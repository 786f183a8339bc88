"""Facts about files of pictures, videos and sound, by name, as a person wants to know them before using one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from av.video.format import VideoFormat
from PIL import ExifTags

from ...core.errors import MediaError
from .clip import FileClip
from .container import audio_stream, chosen_video, decoded, has_decoder, open_media
from .open_clip import is_clip, open_clip
from .orientation import Orientation, orientation_of
from .picture import picture_errors, read_picture
from .picture_formats import opened_picture
from .reader import VideoClip

Facts = Mapping[str, object]

TURNS = {
    Orientation(): "none",
    Orientation(transposed=True, flip_x=True): "a quarter turn to the right",
    Orientation(transposed=True, flip_y=True): "a quarter turn to the left",
    Orientation(flip_x=True, flip_y=True): "a half turn",
}
MIRRORED = "mirrored"
EXIF_TURNS = {1: "none", 3: "a half turn", 6: "a quarter turn to the right", 8: "a quarter turn to the left"}


def media_facts(path: Path) -> Facts:
    """Describe a file of pictures or sound, a folder of frames or a pattern of their names.

    Raises MediaError for what cannot be read.
    """
    if is_clip(path):
        if path.is_file() and not _has_video(path):
            return {"kind": "sound", **_sound_facts(path)}
        return _clip_facts(open_clip(path))
    return _picture_facts(path)


def _has_video(path: Path) -> bool:
    """Tell whether a file that FFmpeg reads has pictures. Raises MediaError for one with neither them nor sound."""
    with closing(open_media(path)) as container:
        if chosen_video(container) is None and audio_stream(container) is None:
            raise MediaError(f"{path} has neither pictures nor sound. Choose another file.")
        return chosen_video(container) is not None


def _clip_facts(clip: FileClip) -> Facts:
    count, times = len(clip), clip.times
    seconds = float(times.end(count - 1) * times.tick)
    even = all(times.end(i) - times.start(i) == times.end(0) - times.start(0) for i in range(count - 1))
    height, width = clip.frame(0).shape[1:3]
    common = {
        "kind": "clip",
        "frames": count,
        "rate": f"{float(clip.fps):g} frames per second" + ("" if clip.fps.denominator == 1 else f" ({clip.fps})"),
        "times": "even" if even else "uneven; the rate is their mean",
        "seconds": round(seconds, 3),
        "size": f"{width} x {height}",
    }
    return {**common, **_stored_facts(clip.path)} if isinstance(clip, VideoClip) else {**common, "sound": "none"}


def _stored_facts(path: Path) -> Facts:
    """Describe how a video is stored: its codec and format, its turn, and its sound."""
    frame = next(decoded(path, "SLICE"))
    with closing(open_media(path)) as container:
        stream = chosen_video(container)
        assert stream is not None  # it was opened as a clip
        codec, form = stream.codec_context.name, container.format.name
    return {
        "container": form,
        "codec": codec,
        "rotation": TURNS.get(orientation_of(frame), MIRRORED),
        "alpha": "its format has it; what is transparent is shown on white" if has_alpha(frame.format) else "none",
        **_sound_facts(path),
    }


def has_alpha(form: VideoFormat) -> bool:
    """Tell whether a format of pixels has transparency."""
    return any(component.is_alpha for component in form.components)


def _sound_facts(path: Path) -> Facts:
    """Describe the sound track that is carried over."""
    with closing(open_media(path)) as container:
        stream = audio_stream(container)
        if stream is None:
            return {"sound": "none"}
        name = stream.codec_context.name if has_decoder(stream) else "of a codec that is not read here"
        own = None if stream.duration is None or stream.time_base is None else stream.duration * stream.time_base
        seconds = float(own if own is not None else (container.duration or 0) / 1_000_000)
        channels = f"{stream.channels} channel{'' if stream.channels == 1 else 's'}"
        return {"sound": f"{name}, {stream.rate} Hz, {channels}, {seconds:.3f} s"}


def _picture_facts(path: Path) -> Facts:
    with picture_errors(path), opened_picture(path) as image:
        turn, profile = image.getexif().get(ExifTags.Base.Orientation, 1), "icc_profile" in image.info
        form, mode = image.format, image.mode
    picture = read_picture(path)
    height, width, channels = picture.shape[1:]
    return {
        "kind": "picture",
        "size": f"{width} x {height}",
        "format": form,
        "colours": f"{mode}{', with a colour profile' if profile else ''}",
        "alpha": "yes" if channels == 4 else "none",
        "rotation": EXIF_TURNS.get(turn, MIRRORED),
    }
