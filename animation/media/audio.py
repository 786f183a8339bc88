"""Sound of one file: carried into a video that is being written, or read into memory."""

from __future__ import annotations

import errno
import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import torch
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from torch import Tensor

from ...core.errors import MediaError
from .audio_track import CopiedTrack, EncodedTrack
from .container import audio_stream, has_decoder, open_media, packets
from .continuous_sound import continuous
from .output_file import OutputFile
from .output_format import OutputFormat
from .timeline import MediaScan, scan_media

_log = logging.getLogger(__name__)
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # refusals that say nothing of the sound
_PRIMING: Final = Fraction(1)  # second before time 0 that decoders are given to warm up
_LONGEST_GAP: Final = Fraction(600)  # seconds of silence that are read into memory


def read_sound(path: Path) -> tuple[Tensor, int] | None:
    """Read the sound as samples (C, T) in [-1, 1] from the first video frame on, and their rate in Hz.

    The track flagged as default is taken; None for a silent file.
    """
    with closing(open_media(path)) as container:
        stream = audio_stream(container)
        if stream is None:
            return None
        if not has_decoder(stream):
            raise _unknown_codec(path)
        source = SoundSource(path, container, stream, None)
        parts = list(continuous(source.frames(), stream.rate, stream.layout.name, _LONGEST_GAP))
        if not parts:
            return None
        return torch.as_tensor(np.concatenate(parts, axis=1)), stream.rate


def _unknown_codec(path: Path) -> MediaError:
    return MediaError(
        f"the audio of {path} is in a codec that can be neither copied nor decoded; aac, mp3 or opus "
        "would do. Convert it, or save without audio."
    )


def has_sound(path: Path) -> bool:
    """Tell whether a file has an audio track."""
    with closing(open_media(path)) as container:
        return bool(container.streams.audio)


class SoundSource:
    """Sound track of a file on the time line of its picture: time 0 is `origin`, in seconds of the file's own clock.

    Without an origin it is the first video frame, or the start of the sound in a file without video.
    """

    def __init__(self, path: Path, container: InputContainer, stream: AudioStream, origin: Fraction | None) -> None:
        self._container, self._stream = container, stream
        self._scan = scan_media(path)
        self._origin = _origin(self._scan, stream) if origin is None else origin
        self.damaged = 0  # packets that did not decode

    @property
    def changes(self) -> bool:
        """Tell whether rate or channels change midway, so that the packets cannot be copied."""
        return self._scan.sound_changes

    def packets(self, priming: Fraction) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
        """Read the packets from `priming` seconds before time 0 on, each with its start in seconds."""
        return ((time, packet) for time, _, packet in self._timed(priming) if packet.size)

    def frames(self) -> Iterator[tuple[Fraction | None, AudioFrame]]:
        """Decode the sound, each frame with its start in seconds; packets that do not decode are left out."""
        for _, shift, packet in self._timed(_PRIMING):
            try:
                frames = packet.decode()
            except FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                tick, stamp = frame.time_base, frame.pts
                yield (None if stamp is None or tick is None else stamp * tick + shift), frame

    def _timed(self, priming: Fraction) -> Iterator[tuple[Fraction, Fraction, Packet[AudioStream]]]:
        """Read packets with their start, and what was added to their stamps; empty ones, which flush, come too."""
        shifts, time, shift = self._scan.shift(self._stream), Fraction(0), Fraction(0)
        for packet in packets(self._container, self._stream):
            if packet.size:
                shift = shifts.next() - self._origin
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is None:
                    continue
                time = stamp * packet.time_base + shift
            if time >= -priming:
                yield time, shift, packet


def _origin(scan: MediaScan, stream: AudioStream) -> Fraction:
    if scan.video is not None and len(scan.video.shown):
        return scan.video.shown[0] * scan.video.tick
    return (
        Fraction(0) if stream.start_time is None or stream.time_base is None else stream.start_time * stream.time_base
    )


class AudioFeed:
    """Feed of a file's sound, in step with the picture so that the muxer holds back little.

    The track flagged as default is taken, copied where the container can hold its codec, else encoded. For `origin`
    see `SoundSource`. Raises MediaError for a track that can be neither copied nor decoded; in a file without audio,
    `present` is False and nothing is written.
    """

    def __init__(self, path: Path, origin: Fraction | None = None) -> None:
        self._path, self._origin = path, origin
        self._input = open_media(path)
        self._stream = audio_stream(self._input)
        if self._stream is not None and not has_decoder(self._stream):
            self._input.close()
            raise _unknown_codec(path)
        self._source: SoundSource | None = None
        self._track: CopiedTrack | EncodedTrack | None = None

    @property
    def present(self) -> bool:
        """Tell whether the file has an audio track."""
        return self._stream is not None

    def attach(self, output: OutputFile, form: OutputFormat) -> None:
        """Add the audio stream to a container whose header is not written yet."""
        if self._stream is None:
            return
        self._source = source = SoundSource(self._path, self._input, self._stream, self._origin)
        with self._refusals():
            if form.can_copy(self._stream) and not source.changes:
                self._track = CopiedTrack(output, self._stream, source.packets)
            else:
                self._track = EncodedTrack(output, form, self._stream, source.frames())
        if self._track.silent:
            _log.warning("the audio track of %s holds no sound that can be read; the video is silent", self._path)

    def advance(self, until: Fraction) -> None:
        """Write the sound before `until` seconds."""
        if self._track is not None:
            with self._refusals():
                self._track.advance(until)

    def finish(self) -> None:
        """Write what the encoder still holds, and say what was lost."""
        if self._track is not None and self._source is not None:
            with self._refusals():
                self._track.finish()
            if self._source.damaged:
                _log.warning("packets of sound that did not decode and are left out: %d", self._source.damaged)

    def close(self) -> None:
        """Let go of the source file."""
        self._input.close()

    @contextmanager
    def _refusals(self) -> Generator[None]:
        """Raise what a codec or the muxer refuses of the sound as MediaError; the disk's refusals pass."""
        try:
            yield
        except (FFmpegError, ValueError) as error:
            if isinstance(error, FFmpegError) and error.errno in _DISK:
                raise
            reason = getattr(error, "strerror", None) or error
            raise MediaError(
                f"the sound of {self._path} cannot be carried over ({reason}); aac, mp3 or opus would do. "
                "Convert it, or write a gif, which has none."
            ) from error
