"""Headers of encoded sound, which say where its parameters change midway."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from .container import has_decoder

_HEAD = 8  # bytes that are looked at


class ParameterWatch:
    """Watch on the packets of a sound track: `changed` once their rate, channels or coding differ from the first."""

    def __init__(self, stream: AudioStream | None) -> None:
        self._codec = stream.codec.canonical_name if stream is not None and has_decoder(stream) else ""
        self._first: tuple[int, ...] | None = None
        self.changed = False

    def add(self, packet: Packet[Stream]) -> None:
        """Take the next packet."""
        if self.changed:
            return
        # PyAV up to 15 has no such method, and does not say that a new header came beside a packet.
        if hasattr(packet, "has_sidedata") and packet.has_sidedata("new_extradata") and self._first is not None:
            self.changed = True
        found = parameters(self._codec, bytes(packet)[:_HEAD])
        self._first = self._first or found
        self.changed |= found is not None and found != self._first


def parameters(codec: str, head: bytes) -> tuple[int, ...] | None:
    """Read what must not change in copied sound off a packet's first bytes; None where they do not say.

    AAC in ADTS frames (ISO/IEC 13818-7), MPEG audio (ISO/IEC 11172-3), AC-3 and E-AC-3 (ETSI TS 102 366).
    """
    if len(head) < _HEAD:
        return None
    if codec == "aac" and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return head[2] & 0xFD, head[3] & 0xC0  # profile, rate and channels
    if codec in ("mp3", "mp2") and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return head[1] & 0x1E, head[2] & 0x0C, int(head[3] >> 6 == 3)  # version and layer, rate, mono
    if codec in ("ac3", "eac3") and head[:2] == b"\x0b\x77":
        if head[5] >> 3 > 10:  # E-AC-3
            return head[5] >> 3, head[4] >> 6, head[4] & 0x0F
        return head[5] >> 3, head[4] >> 6, head[6] >> 5, _ac3_low_channel(head)
    return None


def _ac3_low_channel(head: bytes) -> int:
    """Read AC-3's flag for the channel of low sounds, which stands behind up to three optional pairs of bits."""
    mode, bits = head[6] >> 5, int.from_bytes(head[6:8], "big")
    skipped = 3 + 2 * (bool(mode & 1) and mode != 1) + 2 * bool(mode & 4) + 2 * (mode == 2)
    return bits >> (15 - skipped) & 1
