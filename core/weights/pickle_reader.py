"""Reading of pickles: what each instruction does, and the walk through all of them.

PyTorch's own restricted unpickler is not used on weights: files have made it take minutes or gigabytes, and up to
PyTorch 2.9 it had a memory fault (CVE-2026-24747). Here every instruction costs a step of a bounded number, names and
keys are short, and the classes and functions that a pickle names are only ever looked up in a table of our own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from .pickle_machine import Machine, PersistentLoad, set_pairs
from .source import Malformed, Refused
from .stored_tensor import Opaque

BYTE, UINT2, UINT4, UINT8, INT4, FLOAT = map(struct.Struct, ("<B", "<H", "<I", "<Q", "<i", ">d"))


def read_pickle(data: bytes, start: int, persistent: PersistentLoad) -> tuple[object, int]:
    """Read the pickle that begins at a byte of `data`: its value, and the byte behind it.

    Values are None, bools, numbers, texts, dicts, lists and tuples of them, and what `pickle_values` makes;
    `persistent` makes something of a persistent id. Raises Refused for a pickle that names other classes or
    functions, Malformed for one that is damaged or exceeds a bound.
    """
    machine = Machine(data, start, persistent)
    try:
        value = machine.run(STEPS)
    except Malformed:
        if machine.refused:
            raise Refused(machine.refused) from None
        raise
    machine.refuse_unused_texts()
    if machine.refused:
        raise Refused(machine.refused)
    return value, machine.position


def dict_of(items: list[Any]) -> dict[object, object]:
    """Make a dict of keys and values in turn."""
    made: dict[object, object] = {}
    set_pairs(made, items)
    return made


def set_of(_items: list[Any]) -> Opaque:
    """Make the placeholder of a set."""
    return Opaque("set")


def _with(method: Callable[..., None], value: object) -> Callable[[Machine], None]:
    return lambda machine: method(machine, value)


PLAIN: Final[dict[str, Callable[[Machine], None]]] = {
    "0": Machine.pop,
    "1": Machine.pop_to_mark,
    "2": Machine.duplicate,
    "(": Machine.mark,
    "Q": Machine.persistent,
    "R": Machine.call,
    "a": Machine.append,
    "b": Machine.build,
    "c": Machine.name,
    "e": Machine.append_all,
    "i": Machine.call_named,
    "o": Machine.call_marked,
    "s": Machine.set_item,
    "u": Machine.set_all,
    "\x81": Machine.call,
    "\x90": Machine.append_all,
    "\x92": Machine.call_with_keywords,
    "\x93": Machine.name_on_stack,
    "\x94": Machine.remember_next,
}
"""Instructions by their signs, with what they do."""

GIVEN: Final[dict[str, tuple[Callable[..., None], object]]] = {
    "\x80": (Machine.skip, 1),
    "\x95": (Machine.skip, 8),
    "N": (Machine.push, None),
    "\x88": (Machine.push, True),
    "\x89": (Machine.push, False),
    ")": (Machine.push, ()),
    "]": (Machine.push_new, list),
    "}": (Machine.push_new, dict),
    "\x8f": (Machine.push, Opaque("set")),
    "J": (Machine.push_number, INT4),
    "K": (Machine.push_number, BYTE),
    "M": (Machine.push_number, UINT2),
    "G": (Machine.push_number, FLOAT),
    "\x8a": (Machine.push_long, BYTE),
    "\x8b": (Machine.push_long, INT4),
    "U": (Machine.push_text, BYTE),
    "T": (Machine.push_text, UINT4),
    "X": (Machine.push_text, UINT4),
    "\x8c": (Machine.push_text, BYTE),
    "\x8d": (Machine.push_text, UINT8),
    "B": (Machine.skip_bytes, UINT4),
    "C": (Machine.skip_bytes, BYTE),
    "\x8e": (Machine.skip_bytes, UINT8),
    "\x96": (Machine.skip_byte_array, UINT8),
    "h": (Machine.get, BYTE),
    "j": (Machine.get, UINT4),
    "q": (Machine.remember, BYTE),
    "r": (Machine.remember, UINT4),
    "t": (Machine.collect, tuple),
    "l": (Machine.collect, list),
    "d": (Machine.collect, dict_of),
    "\x91": (Machine.collect, set_of),
    "\x85": (Machine.collect_last, 1),
    "\x86": (Machine.collect_last, 2),
    "\x87": (Machine.collect_last, 3),
}
"""Instructions that differ only in a layout, a length or a value. Weights use none beside these and PLAIN."""

STEPS: Final = {
    **{ord(sign): step for sign, step in PLAIN.items()},
    **{ord(sign): _with(method, value) for sign, (method, value) in GIVEN.items()},
}
