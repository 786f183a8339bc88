"""Damage of every kind to files: bytes that change, numbers that grow, parts that go missing or come twice."""

from __future__ import annotations

import json
import random
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

ODD_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**48, 2**63 - 1, 2**64 - 1)
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**53,
        2**63,
        10**30,
        0.5,
        1e30,
        1e300,
        "",
        "F32\nerror",
        "x" * 5000,
        "\u202e\x1b[2J",
    ),
    *([], {}, [[]], [0, 2**62], {"a": {"b": []}}),
)
OPCODES = b"()}]NQRabcehjqrstuX\x80\x81\x85\x86\x87\x88\x8a\x8c\x93\x94.0"


def bytes_damaged(data: bytes, dice: random.Random) -> bytes:
    """Change, insert, remove or repeat bytes, once or a few times."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(len(changed) + 1)
        kind = dice.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes([dice.randrange(256)])
        elif kind == 1:
            number = dice.choice(ODD_NUMBERS)
            size = dice.choice((1, 2, 4, 8))
            changed[at : at + size] = (number & (256**size - 1)).to_bytes(size, "little")
        elif kind == 2:
            del changed[at : at + dice.choice((1, 4, 100))]
        elif kind == 3:
            changed[at:at] = changed[at : at + dice.choice((1, 16, 500))]
        elif kind == 4:
            changed[at:at] = bytes(dice.choice(OPCODES) for _ in range(dice.choice((1, 3, 30))))
        else:
            del changed[max(1, at) :]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def archive_damaged(data: bytes, dice: random.Random) -> bytes:
    """Write a zip anew with a damaged pickle, or an entry that is missing, renamed, repeated, cut or compressed."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        chosen = dice.choice(old.namelist())
        kind = dice.randrange(6)
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl") and kind < 3:
                content = bytes_damaged(content, dice)
            if name != chosen or kind < 3:
                new.writestr(name, content)
            elif kind == 3:
                new.writestr(name[: dice.randrange(1, len(name))] + dice.choice(("", "x", "/data.pkl", "\n")), content)
            elif kind == 4:
                new.writestr(name, content[: dice.randrange(len(content) + 1)], dice.choice((0, zipfile.ZIP_DEFLATED)))
    return target.getvalue() if dice.random() < 0.7 else bytes_damaged(target.getvalue(), dice)


def head_damaged(data: bytes, dice: random.Random) -> bytes:
    """Damage the first part of a file, where the older kind has its pickles."""
    end = min(len(data), 2000)
    return bytes_damaged(data[:end], dice) + data[end:]


def header_damaged(data: bytes, dice: random.Random) -> bytes:
    """Change values, names or the length of a safetensors header."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    for _ in range(dice.choice((1, 1, 2))):
        change(header, dice)
    text = json.dumps(header).encode()
    size = len(text) if dice.random() < 0.9 else dice.choice((0, len(text) - 1, len(text) + 1, 2**31, 2**62))
    rest = data[8 + length :]
    return struct.pack("<Q", size) + text + (rest if dice.random() < 0.9 else bytes_damaged(rest, dice))


def change(tree: dict[str, Any], dice: random.Random) -> None:
    """Change one value somewhere in nested dicts and lists, or remove or rename its entry."""
    part: Any = tree
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            return
        key = dice.choice(keys)
        if not isinstance(part[key], dict | list) or not part[key] or dice.random() < 0.2:
            break
        part = part[key]
    kind = dice.randrange(4)
    if kind == 0 and isinstance(part, dict):
        del part[key]
    elif kind == 1 and isinstance(part, dict):
        part[dice.choice(("", "x\ny", "\u202e", "k" * 3000, "module.a"))] = part.pop(key)
    else:
        part[key] = dice.choice(ODD_VALUES)


MUTATORS: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    "zip": (bytes_damaged, archive_damaged, archive_damaged),
    "legacy": (bytes_damaged, head_damaged, head_damaged),
    "safetensors": (bytes_damaged, header_damaged, header_damaged),
}
