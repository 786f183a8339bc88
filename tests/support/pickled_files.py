"""Weight files put together instruction by instruction, as no honest program writes them."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

FLOAT = 4  # bytes


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def symbol(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def storage(length: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + symbol("torch", kind) + text(key) + text("cpu") + number(length) + b"tQ"


def tensor(
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
    offset: int = 0,
    length: int = 4,
    kind: str = "FloatStorage",
) -> bytes:
    """A tensor of the storage "0", which has `length` elements."""
    steps = strides if strides is not None else tuple(1 for _ in shape)
    rebuild = symbol("torch._utils", "_rebuild_tensor_v2")
    hooks = called(symbol("collections", "OrderedDict"))
    given = (storage(length, kind=kind), number(offset), numbers(shape), numbers(steps), b"\x89", hooks)
    return called(rebuild, *given)


def mapping(entries: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


GOOD = mapping({"generator": mapping({"w": tensor((4,))})})


def archive(path: Path, body: bytes, data: bytes = bytes(4 * FLOAT), **entries: bytes) -> Path:
    """A zip as torch.save writes it, with `body` as its pickle and `data` as its one storage."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + body + b".")
        file.writestr("archive/byteorder", "little")
        file.writestr("archive/data/0", data)
        for name, content in entries.items():
            file.writestr(f"archive/{name}", content)
    return path


def legacy(path: Path, body: bytes) -> Path:
    """A file of the older kind with one storage of four floats, if its pickle asks for one."""
    keys = ["0"] if b"Storage" in body else []
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, facts))
    behind = (struct.pack("<q", 4) + bytes(4 * FLOAT)) * len(keys)
    path.write_bytes(head + b"\x80\x02" + body + b"." + pickle.dumps(keys, 2) + behind)
    return path
