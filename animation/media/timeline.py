"""Time stamps of a whole file, read from its packets, on one clock even where files were joined."""

from __future__ import annotations

import logging
from array import array
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .container import audio_stream, chosen_video, has_decoder, open_media, packets
from .sound_headers import ParameterWatch

_log = logging.getLogger(__name__)
_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT: formats whose clock may jump (MPEG-TS, MPEG-PS)
_FAR = Fraction(10)  # seconds without any packet that such a format leaves only where pieces were joined
_BACK = Fraction(1, 4)  # seconds that a clock runs back by where pieces were joined, and not for any other reason
_HELD_BACK = 2  # packets of a stream that may come after the next one's first
_REORDERED = 16  # frames by which time stamps in decoding order may lie before earlier ones
_OVERLAP = Fraction(1, 10)  # seconds by which the sound of two pieces may overlap: the codec's own frames do


@dataclass(slots=True)
class _Run:
    """Packets of one stream within one piece."""

    first: Fraction
    last: Fraction  # decoding time of the packet before
    end: Fraction
    from_packet: int  # counted within the stream


@dataclass(slots=True)
class Timeline:
    """Clock that goes on where the time stamps of joined pieces begin anew, or jump far ahead, for all streams alike.

    Each stream enters a piece at its own packet; what is added to its stamps there is the same for all of them.
    """

    jumpy: bool
    _pieces: list[dict[int, _Run]] = field(default_factory=lambda: [{}])
    _piece_of: dict[int, int] = field(default_factory=dict[int, int])
    _packets: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, stream: int, decoded: Fraction | None, shown: Fraction | None, duration: Fraction) -> None:
        """Take the next packet of a stream in the file's order, with its times in seconds if it has any."""
        count = self._packets.get(stream, 0)
        self._packets[stream] = count + 1
        time, start = shown if decoded is None else decoded, decoded if shown is None else shown
        if time is None or start is None:
            return
        runs = self._pieces[self._piece_of.setdefault(stream, len(self._pieces) - 1)]
        run = runs.get(stream)
        if run is not None and decoded is not None and self._jumps(runs, run, decoded, duration):
            runs, run = self._next_piece(stream), None
        if run is None:
            runs[stream] = _Run(start, time, start + duration, count)
            return
        run.first, run.last, run.end = min(run.first, start), time, max(run.end, start + duration)

    def shifts(self, stream: int, main: int | None) -> list[tuple[int, Fraction]]:
        """List where a stream enters each piece and the seconds to add from there on; stream `main` has no gaps."""
        total, found = Fraction(0), [(0, Fraction(0))]
        for before, after in pairwise(self._pieces):
            gaps = {number: before[number].end - run.first for number, run in after.items() if number in before}
            widest = max(gaps.values(), default=Fraction(0))
            main_gap = gaps.get(-1 if main is None else main, widest)
            total += main_gap if widest - main_gap <= _OVERLAP else widest
            if stream in after:
                found.append((after[stream].from_packet, total))
        return found

    @property
    def joined(self) -> int:
        """Number of pieces."""
        return len(self._pieces)

    def _jumps(self, runs: dict[int, _Run], run: _Run, time: Fraction, duration: Fraction) -> bool:
        """Tell whether a packet belongs to another piece than the one before it in its stream."""
        if time < run.last - max(_BACK, 0 if self.jumpy else _REORDERED * duration):
            return True
        return self.jumpy and time > max(other.end for other in runs.values()) + _FAR

    def _next_piece(self, stream: int) -> dict[int, _Run]:
        self._piece_of[stream] += 1
        if self._piece_of[stream] == len(self._pieces):
            self._pieces.append({})
        return self._pieces[self._piece_of[stream]]


class StampShift:
    """Seconds to add to the stamps of a stream's packets, which are counted as they come."""

    def __init__(self, shifts: list[tuple[int, Fraction]]) -> None:
        self._shifts, self._place, self._count = shifts, 0, 0

    def next(self) -> Fraction:
        """Return what is added to the next packet's stamps."""
        if self._place + 1 < len(self._shifts) and self._count >= self._shifts[self._place + 1][0]:
            self._place += 1
        self._count += 1
        return self._shifts[self._place][1]


@dataclass(frozen=True, slots=True)
class VideoStamps:
    """Packets that hold a frame to be shown: their stamps as stored and on the one clock, their durations, in ticks.

    `exact` says whether the stored stamps are those that decoded frames will bear.
    """

    tick: Fraction
    stored: array[int]
    shown: array[int]
    durations: array[int]
    unknown: int  # packets without a stamp
    exact: bool


@dataclass(frozen=True, slots=True)
class MediaScan:
    """Findings of one walk through all packets of a file."""

    video: VideoStamps | None
    timeline: Timeline
    video_index: int | None
    sound_changes: bool

    def shift(self, stream: Stream) -> StampShift:
        """Make the counter that corrects the stamps of a stream's packets."""
        return StampShift(self.timeline.shifts(stream.index, self.video_index))


def scan_media(path: Path) -> MediaScan:
    """Walk through a file's packets without decoding; the last files' findings are kept while they do not change."""
    state = path.stat() if path.is_file() else None
    return _scan(path, None if state is None else (state.st_size, state.st_mtime_ns, state.st_ino))


@lru_cache(maxsize=2)
def _scan(path: Path, _state: tuple[int, int, int] | None) -> MediaScan:
    with closing(open_media(path)) as container:
        video, audio = chosen_video(container), audio_stream(container)
        timeline, watch = Timeline(bool(container.format.flags & _DISCONTINUOUS)), ParameterWatch(audio)
        walk, found = _VideoWalk(video), [stream for stream in (video, audio) if stream is not None]
        others = _OtherVideos(container, video)
        for packet in packets(container, *cast("list[Stream]", [*found, *others.streams])):
            index, size = packet.stream_index, packet.size
            if not size or (others.streams and others.takes(packet)):
                continue
            timeline.add(index, _seconds(packet, packet.dts), _seconds(packet, packet.pts), _length(packet))
            if video is not None and index == video.index:
                walk.add(packet)
            elif audio is not None and index == audio.index:
                watch.add(packet)
        others.report(path)
        index = None if video is None else video.index
    if timeline.joined > 1:
        _log.info("%s was joined of %d pieces; their times follow each other", path, timeline.joined)
    stamps = None if index is None else walk.stamps(timeline.shifts(index, index))
    return MediaScan(stamps, timeline, index, watch.changed)


def _seconds(packet: Packet[Stream], stamp: int | None) -> Fraction | None:
    return None if stamp is None else stamp * packet.time_base


def _length(packet: Packet[Stream]) -> Fraction:
    return Fraction(packet.duration or 0) * packet.time_base


def _ordered(values: NDArray[np.int64], order: NDArray[np.intp]) -> array[int]:
    return array("q", values[order].tobytes())


class _OtherVideos:
    """Watch on further video streams that begin once the chosen one is over, as in joined broadcasts."""

    def __init__(self, container: InputContainer, video: VideoStream | None) -> None:
        jumpy = bool(container.format.flags & _DISCONTINUOUS)
        self.streams = [stream for stream in container.streams.video if jumpy and stream is not video]
        self._chosen = -1 if video is None else video.index
        self._shown = self._others = self._begun_at = 0  # packets: of the chosen stream, of others, before the others

    def takes(self, packet: Packet[Stream]) -> bool:
        """Tell whether a packet is of such a stream."""
        self._shown += packet.stream_index == self._chosen
        if not any(packet.stream_index == stream.index for stream in self.streams):
            return False
        self._begun_at = self._begun_at if self._others else self._shown
        self._others += 1
        return True

    def report(self, path: Path) -> None:
        """Log that another stream goes on where the chosen one, but for packets held back, ends."""
        if self._others and self._shown - self._begun_at <= _HELD_BACK:
            _log.warning("%s goes on in another video stream (%d frames), which is not read", path, self._others)


class _VideoWalk:
    """Stamps of a video stream's packets, collected in the file's order."""

    def __init__(self, stream: VideoStream | None) -> None:
        self._hides = stream is not None and has_decoder(stream) and stream.codec.canonical_name == "vp8"
        self._tick = Fraction(1) if stream is None or stream.time_base is None else stream.time_base
        self._places, self._stamps, self._durations = array("q"), array("q"), array("q")  # of each shown frame's packet
        self._count = self._unknown = 0
        self._exact = True

    def add(self, packet: Packet[Stream]) -> None:
        """Take a packet; vp8 may hide its reference frames: bit 4 (RFC 6386, 9.1)."""
        place, self._count = self._count, self._count + 1
        if packet.is_discard or (self._hides and not bytes(packet)[0] & 0x10):
            return
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            self._unknown += 1
            return
        self._exact &= packet.pts is not None
        self._places.append(place)
        self._stamps.append(stamp)
        self._durations.append(packet.duration or 0)

    def stamps(self, shifts: list[tuple[int, Fraction]]) -> VideoStamps:
        """Put the stamps on the one clock, in the order in which frames are shown."""
        stored, places = np.array(self._stamps, np.int64), np.array(self._places, np.int64)
        shown = stored + 0
        for (start, seconds), before in zip(shifts, (Fraction(0), *(shift for _, shift in shifts)), strict=False):
            shown[places >= start] += round(seconds / self._tick) - round(before / self._tick)
        order = np.argsort(shown, kind="stable")
        raw, sorted_, lengths = (_ordered(part, order) for part in (stored, shown, np.array(self._durations, np.int64)))
        return VideoStamps(self._tick, raw, sorted_, lengths, self._unknown, self._exact and not self._unknown)
