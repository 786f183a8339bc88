"""Files in the safetensors format: a JSON header that says where each tensor lies, then the tensors' bytes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

import torch

from ..errors import quote
from .source import Malformed, Source
from .stored_tensor import Storage, StoredTensor, checked, contiguous

MAX_HEADER: Final = 8 * 2**20  # bytes; a tensor takes about a hundred
MAX_BRACKETS: Final = 100_000  # of lists and objects: three of a tensor
MAX_COMMAS: Final = 400_000
MAX_DIGITS: Final = 20
METADATA: Final = "__metadata__"
FIELDS: Final = {"dtype", "shape", "data_offsets"}

DTYPES: Final = {
    name: cast(torch.dtype, getattr(torch, full))
    for name, full in {
        "BOOL": "bool",
        "U8": "uint8",
        "I8": "int8",
        "U16": "uint16",
        "I16": "int16",
        "U32": "uint32",
        "I32": "int32",
        "U64": "uint64",
        "I64": "int64",
        "F16": "float16",
        "BF16": "bfloat16",
        "F32": "float32",
        "F64": "float64",
        "C64": "complex64",
        "F8_E4M3": "float8_e4m3fn",
        "F8_E5M2": "float8_e5m2",
        "F8_E8M0": "float8_e8m0fnu",
    }.items()
    if hasattr(torch, full)
}


def scan_safetensors(source: Source) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """Read the header of an open safetensors file: its tensors, unread, by name, and its metadata.

    Raises Malformed unless the tensors fill the file without gaps or overlaps, as the format wants.
    """
    length = int.from_bytes(source.read(0, 8), "little")
    if length > MAX_HEADER:
        raise Malformed(f"its header has {length} bytes; {MAX_HEADER} at most were expected")
    header = _parse(source.read(8, length))
    metadata = _metadata(header.pop(METADATA, {}))
    start = 8 + length
    tensors = {name: _tensor(name, entry, start) for name, entry in header.items()}
    end = start
    for tensor in sorted(tensors.values(), key=lambda tensor: (_begin(tensor), tensor.nbytes)):
        if _begin(tensor) != end:
            raise Malformed("its tensors overlap, or have gaps between them")
        end += tensor.nbytes
    if end != source.size:
        raise Malformed(f"its tensors end at byte {end}")
    return tensors, metadata


def _begin(tensor: StoredTensor) -> int:
    return tensor.storage.position or 0


def _parse(data: bytes) -> dict[str, Any]:
    """Parse the header, of which nothing may be large but the number of its tensors."""
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS or data.count(b",") > MAX_COMMAS:
        raise Malformed("its header lists too many tensors")
    try:
        header = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except RecursionError as error:
        raise Malformed("its header nests too deeply") from error
    except ValueError as error:  # of UTF-8 and of JSON
        raise Malformed("its header is no JSON text") from error
    if not isinstance(header, dict):
        raise Malformed("its header is no JSON object")
    return cast(dict[str, Any], header)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Malformed("its header names something twice")
    for name, value in pairs:
        if _is_halved(name) or (isinstance(value, str) and _is_halved(value)):
            raise Malformed(f"its header names {quote(name)}, which is no text")
    return made


def _is_halved(text: str) -> bool:
    """Tell whether a text has half of a pair of code units, which JSON can write and no file could hold."""
    return not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Malformed("its header holds a number of too many digits")
    return int(digits)


def _no_number(text: str) -> NoReturn:
    raise Malformed(f"its header holds {quote(text)}; whole numbers were expected")


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Malformed("its metadata are no texts by name")
    entries = cast(Mapping[str, object], value)
    texts = {name: text for name, text in entries.items() if isinstance(text, str)}
    if len(texts) != len(entries):
        raise Malformed("its metadata are no texts by name")
    return texts


def _tensor(name: str, entry: object, start: int) -> StoredTensor:
    """Read the entry of one tensor; its bytes begin `start` and its own offset into the file."""
    if not isinstance(entry, dict) or set(cast(dict[str, object], entry)) != FIELDS:
        raise Malformed(f"its header describes {quote(name)} in an unknown way")
    fields = cast(dict[str, Any], entry)
    dtype = DTYPES.get(fields["dtype"]) if isinstance(fields["dtype"], str) else None
    if dtype is None:
        raise Malformed(f"{quote(name)} has the unknown number type {quote(fields['dtype'], 20)}")
    shape, offsets = _whole_numbers(fields["shape"], name), _whole_numbers(fields["data_offsets"], name)
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise Malformed(f"the place of {quote(name)} does not go with its shape")
    storage = Storage(dtype, offsets[1] - offsets[0], start + offsets[0], swapped=sys.byteorder == "big")
    return checked(StoredTensor(storage, dtype, shape, contiguous(shape), 0))


def _whole_numbers(value: object, name: str) -> tuple[int, ...]:
    items = cast(list[object], value) if isinstance(value, list) else [None]
    numbers = tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool) and item >= 0)
    if len(numbers) != len(items) or len(items) > 32:
        raise Malformed(f"the shape or place of {quote(name)} is no list of whole numbers")
    return numbers
