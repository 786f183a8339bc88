"""Directory of a zip archive, as torch.save writes them: what is in it, and where.

Read here and nowhere else: other readers look for the directory in different ways, so that one file can show them
different contents.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from .source import Malformed, Source

END: Final = struct.Struct("<4s4H2LH")
END_64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64: Final = struct.Struct("<4sLQL")
ENTRY: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")

MAX_COMMENT: Final = 65535
MAX_ENTRIES: Final = 32_768  # a storage takes one
MAX_DIRECTORY: Final = 16 * 2**20  # bytes
MAX_NAME: Final = 512  # bytes
STORED: Final = 0
ENCRYPTED: Final = 1  # bit of an entry's flags
EXTRA_64: Final = 1  # kind of extra field that holds sizes of eight bytes
FULL_2, FULL_4 = 0xFFFF, 0xFFFFFFFF  # "too large, see the eight-byte fields"


@dataclass(frozen=True, slots=True)
class Entry:
    """File in an archive: its name, the place of its own header, its bytes and their number, as they are in the file.

    `stored` says that these are the bytes as they were, neither compressed nor encrypted.
    """

    name: str
    header: int
    position: int
    size: int
    stored: bool


def read_directory(source: Source) -> dict[str, Entry]:
    """List the entries of an archive by name; raises Malformed for one that is cut short, and for overlapping or
    repeated entries.
    """
    start, size, count = _find(source)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY:
        raise Malformed(f"it lists {count} entries, more than {MAX_ENTRIES}")
    data, at = source.read(start, size), 0
    entries: dict[str, Entry] = {}
    for _ in range(count):
        entry, at = _entry(source, data, at, start)
        if entry.name in entries:
            raise Malformed("it lists an entry twice")
        entries[entry.name] = entry
    if at != size:
        raise Malformed("its list of entries has another length than it says")
    _refuse_overlaps(entries)
    return entries


def _find(source: Source) -> tuple[int, int, int]:
    """Find the directory: its place, its size in bytes and its number of entries."""
    tail = min(source.size, END.size + MAX_COMMENT)
    data = source.read(source.size - tail, tail)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or len(data) - at < END.size:
        raise Malformed("it has no list of entries at its end")
    _, disk, first, here, count, size, start, comment = END.unpack_from(data, at)
    end = source.size - tail + at
    if disk or first or here != count:
        raise Malformed("it is a part of an archive of several files")
    found = _find_64(source, end)
    if found is not None:
        small = ((start, FULL_4), (size, FULL_4), (count, FULL_2))
        if any(value not in (full, large) for (value, full), large in zip(small, found[0], strict=True)):
            raise Malformed("it has two lists of entries")
        (start, size, count), end = found
    if start + size != end or source.size != at + END.size + comment + source.size - tail:
        raise Malformed("its list of entries is not at its end")
    return start, size, count


def _find_64(source: Source, end: int) -> tuple[tuple[int, int, int], int] | None:
    """Find place, size and count in the eight-byte fields before the archive's end, and where these fields begin."""
    if end < LOCATOR_64.size:
        return None
    mark, disk, at, _ = LOCATOR_64.unpack(source.read(end - LOCATOR_64.size, LOCATOR_64.size))
    if mark != b"PK\x06\x07":
        return None
    mark, _, _, _, here_disk, first, here, count, size, start = END_64.unpack(source.read(at, END_64.size))
    if mark != b"PK\x06\x06" or disk or here_disk or first or here != count:
        raise Malformed("its list of entries cannot be found")
    return (start, size, count), at


def _entry(source: Source, data: bytes, at: int, limit: int) -> tuple[Entry, int]:
    """Read one entry of the directory and its own header: the entry, and where the next one begins."""
    if at + ENTRY.size > len(data):
        raise Malformed("its list of entries ends too early")
    mark, _, _, flags, method, _, _, _, packed, size, long, extra, comment, disk, _, _, header = ENTRY.unpack_from(
        data, at
    )
    rest = at + ENTRY.size
    if mark != b"PK\x01\x02" or disk or long > MAX_NAME or rest + long + extra + comment > len(data):
        raise Malformed("its list of entries is broken")
    name = data[rest : rest + long]
    fields = data[rest + long : rest + long + extra]
    size, packed, header = _long_sizes(fields, size, packed, header)
    position = _data_position(source, header, name)
    if position + packed > limit:
        raise Malformed("an entry reaches beyond the part of the file that is for entries")
    stored = method == STORED and size == packed and not flags & ENCRYPTED
    return Entry(name.decode("utf-8", "replace"), header, position, packed, stored), rest + long + extra + comment


def _long_sizes(fields: bytes, *values: int) -> tuple[int, ...]:
    """Replace the values that are too large for four bytes by those in the extra fields."""
    if FULL_4 not in values:
        return values
    at = 0
    while at + 4 <= len(fields):
        kind, length = struct.unpack_from("<2H", fields, at)
        if kind == EXTRA_64:
            large = iter(struct.unpack_from(f"<{length // 8}Q", fields[at + 4 : at + 4 + length].ljust(length, b"\\0")))
            return tuple(next(large, value) if value == FULL_4 else value for value in values)
        at += 4 + length
    return values


def _data_position(source: Source, header: int, name: bytes) -> int:
    """Return where an entry's bytes begin: behind its own header, which must be of the same name."""
    mark, _, _, _, _, _, _, _, _, long, extra = LOCAL.unpack(source.read(header, LOCAL.size))
    if mark != b"PK\x03\x04" or source.read(header + LOCAL.size, long) != name:
        raise Malformed("an entry is not where its list of entries says")
    return header + LOCAL.size + long + extra


def _refuse_overlaps(entries: dict[str, Entry]) -> None:
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.header):
        if entry.header < end:
            raise Malformed("its entries overlap")
        end = entry.position + entry.size
