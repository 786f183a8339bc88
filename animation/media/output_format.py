"""Containers that are written, and the codecs that go into each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from av.audio.stream import AudioStream


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Container by FFmpeg's name with its muxer's options, and its codecs.

    `video` is the encoder of pictures. Sound in one of the codecs `copied` is taken over as it is, other sound is
    encoded with `sound`, at one of `rates` (Hz) or else at the last of them.
    """

    form: str
    video: str
    copied: frozenset[str]
    sound: str
    rates: tuple[int, ...]
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    def can_copy(self, stream: AudioStream) -> bool:
        """Tell whether the container holds the stream's codec as it is."""
        name = stream.codec.canonical_name
        return name in self.copied and not (name == "mp3" and stream.rate < _MP3_LOWEST_RATE)


_MP3_LOWEST_RATE: Final = 16000  # below it containers have no standard way to hold mp3
_AAC_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 64000, 88200, 96000, 48000)
_NEGATIVE: Final = {"avoid_negative_ts": "disabled"}  # what players skip of the sound does not delay the picture
_INDEX_FIRST: Final = {"movflags": "+faststart"}
_MOV_SOUND: Final = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_MP4: Final = OutputFormat("mp4", "libx264", _MOV_SOUND | {"opus"}, "aac", _AAC_RATES, _INDEX_FIRST)

FORMATS: Final[Mapping[str, OutputFormat]] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": OutputFormat("mov", "libx264", _MOV_SOUND, "aac", _AAC_RATES, _INDEX_FIRST),
    ".mkv": OutputFormat("matroska", "libx264", _MOV_SOUND | {"opus", "vorbis", "flac"}, "aac", _AAC_RATES, _NEGATIVE),
    ".webm": OutputFormat("webm", "libvpx-vp9", frozenset({"opus", "vorbis"}), "libopus", (48000,)),
}
"""Formats of videos by the suffix of a file."""
