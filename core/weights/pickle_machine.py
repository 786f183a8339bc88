"""Stack machine of pickles that builds plain values and runs nothing; `pickle_reader` tells it what to do."""

from __future__ import annotations

import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from .pickle_values import Symbol, Text, as_symbol, call, put
from .source import Malformed
from .stored_tensor import Opaque

MAX_STEPS: Final = 500_000  # thirty are needed for a tensor
MAX_WAITING: Final = 100_000  # values that wait to become part of another
MAX_MARKS: Final = 1000
MAX_NAME: Final = 256  # bytes of a module's or a class's name
MAX_TEXT: Final = 64 * 2**10  # bytes; weights need no longer texts, and these are not kept
MAX_LONG: Final = 255  # bytes of a whole number
MAX_REFUSED: Final = 100  # names that are collected for a message

TOO_LONG: Final = f"its pickle takes more than {MAX_STEPS} steps"
STOP: Final = ord(".")

PersistentLoad = Callable[[object], object]


class Machine:
    """State of the walk: stack, marks, memo, and what was refused so far (its names, in order)."""

    def __init__(self, data: bytes, start: int, persistent: PersistentLoad) -> None:
        self.position = start
        self.refused: dict[str, None] = {}
        self._texts: list[Text] = []
        self._data, self._persistent, self._steps = data, persistent, MAX_STEPS
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, object] = {}

    def run(self, steps: Mapping[int, Callable[[Machine], None]]) -> object:
        """Walk to the STOP instruction, doing what `steps` has for each, and return the value on top of the stack."""
        data, end = self._data, len(self._data)
        while self.position < end:
            code = data[self.position]
            self.position += 1
            if code == STOP:
                return self._pop()
            step = steps.get(code)
            if step is None:
                raise Malformed(f"its pickle has an instruction that weights do not use, 0x{code:02x}")
            if len(self._stack) > MAX_WAITING:
                raise Malformed(f"its pickle leaves more than {MAX_WAITING} values lying about")
            self._steps -= 1  # as `_spend` does; a call of it would take longer than most instructions
            if self._steps < 0:
                raise Malformed(TOO_LONG)
            step(self)
        raise Malformed("its pickle ends too early")

    def _spend(self, steps: int) -> None:
        """Take steps off those that are left."""
        self._steps -= steps
        if self._steps < 0:
            raise Malformed(TOO_LONG)

    def _take(self, length: int) -> bytes:
        """Take the next bytes of the pickle."""
        start, self.position = self.position, self.position + length
        if self.position > len(self._data):
            raise Malformed("its pickle ends too early")
        return self._data[start : self.position]

    def _number(self, layout: struct.Struct) -> Any:
        start, self.position = self.position, self.position + layout.size
        if self.position > len(self._data):
            raise Malformed("its pickle ends too early")
        return layout.unpack_from(self._data, start)[0]

    def _line(self) -> str:
        """Take a line of the pickle, which is part of a name."""
        end = self._data.find(b"\n", self.position, self.position + MAX_NAME + 1)
        if end < 0:
            raise Malformed(f"a name in its pickle has more than {MAX_NAME} bytes")
        return self._take(end + 1 - self.position)[:-1].decode("utf-8", "replace")

    def _pop(self) -> Any:
        if not self._stack:
            raise Malformed("its pickle takes more values than it has")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise Malformed("its pickle takes more values than it has")
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        """Take the values since the last mark off the stack."""
        if not self._marks:
            raise Malformed("its pickle has no mark where one is needed")
        items, self._stack = self._stack, self._marks.pop()
        return items

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_new(self, kind: Callable[[], object]) -> None:
        self._stack.append(kind())

    def push_number(self, layout: struct.Struct) -> None:
        self._stack.append(self._number(layout))

    def push_long(self, layout: struct.Struct) -> None:
        length = self._number(layout)
        if not 0 <= length <= MAX_LONG:
            raise Malformed(f"a number in its pickle has more than {MAX_LONG} bytes")
        self._stack.append(int.from_bytes(self._take(length), "little", signed=True))

    def push_text(self, layout: struct.Struct) -> None:
        data = self._take(self._number(layout))
        self._stack.append(data.decode("utf-8", "replace") if len(data) <= MAX_TEXT else Opaque("long text"))

    def skip_bytes(self, layout: struct.Struct) -> None:
        self._take(self._number(layout))
        self._stack.append(Opaque("bytes"))

    def skip(self, length: int) -> None:
        self._take(length)

    def pop(self) -> None:
        self._pop()

    def duplicate(self) -> None:
        self._stack.append(self._top())

    def mark(self) -> None:
        if len(self._marks) >= MAX_MARKS:
            raise Malformed(f"its pickle nests more than {MAX_MARKS} levels deep")
        self._marks.append(self._stack)
        self._stack = []

    def pop_to_mark(self) -> None:
        self._since_mark()

    def collect(self, kind: Callable[[list[Any]], object]) -> None:
        items = self._since_mark()
        self._stack.append(kind(items))

    def collect_last(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(items[::-1]))

    def append(self) -> None:
        item = self._pop()
        self._extend([item])

    def append_all(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            cast(list[Any], target).extend(items)
        elif not isinstance(target, Opaque):
            raise Malformed("its pickle appends to what is no list")

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def set_all(self) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._top()
        if isinstance(target, dict):
            set_pairs(cast(dict[object, object], target), items)
        elif not isinstance(target, Opaque):
            raise Malformed("its pickle sets items of what is no dict")

    def get(self, layout: struct.Struct) -> None:
        index = self._number(layout)
        if index not in self._memo:
            raise Malformed("its pickle uses a value that it has not remembered")
        self._stack.append(self._memo[index])

    def remember(self, layout: struct.Struct) -> None:
        self._memo[self._number(layout)] = self._top()

    def remember_next(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def name(self) -> None:
        module = self._line()
        self._name(module, self._line())

    def name_on_stack(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Malformed("a name in its pickle is no text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        """Push what a global stands for; one that is not known is noted, and the walk goes on to find the others."""
        if len(module) > MAX_NAME or len(name) > MAX_NAME:
            raise Malformed(f"a name in its pickle has more than {MAX_NAME} characters")
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        found = as_symbol(module, name)
        if isinstance(found, Symbol) and not found.known:
            self.refuse(found.name)
        self._stack.append(found)

    def refuse(self, name: str) -> None:
        """Note a name for the message."""
        if len(self.refused) < MAX_REFUSED:
            self.refused[name] = None

    def refuse_unused_texts(self) -> None:
        """Refuse bytes that were written as texts, but for those of NumPy's scalars."""
        if any(not text.used for text in self._texts):
            self.refuse("_codecs.encode")

    def call(self) -> None:
        args, function = self._pop(), self._pop()
        self._call(function, args)

    def call_named(self) -> None:
        """Name a class and call it with everything since the mark."""
        self.name()
        symbol = self._pop()
        self._call(symbol, tuple(self._since_mark()))

    def call_marked(self) -> None:
        """Call the first value since the mark with the others."""
        function, *args = self._since_mark() or [None]
        self._call(function, tuple(args))

    def call_with_keywords(self) -> None:
        self._pop()
        self.call()

    def _call(self, function: object, args: object) -> None:
        """Push what a call of a symbol gives. One that was refused gives a placeholder."""
        if not isinstance(function, Symbol) or not isinstance(args, tuple):
            raise Malformed("its pickle calls what is no function")
        values = cast(tuple[Any, ...], args)
        self._spend(sum(len(cast(list[Any], value)) for value in values if isinstance(value, list | tuple | dict)))
        made = call(function, values) if function.known else Opaque(function.name)
        if isinstance(made, Text):
            self._texts.append(made)
        self._stack.append(made)

    def build(self) -> None:
        """Drop a state: the attributes of an OrderedDict, or all of a placeholder."""
        self._pop()
        if not isinstance(self._top(), dict | Opaque):
            raise Malformed("its pickle sets attributes of what has none")

    def skip_byte_array(self, layout: struct.Struct) -> None:
        self.refuse("builtins.bytearray")
        self.skip_bytes(layout)

    def persistent(self) -> None:
        self._stack.append(self._persistent(self._pop()))


def set_pairs(target: dict[object, object], items: list[Any]) -> None:
    """Set items of a dict from keys and values in turn; raises Malformed for keys that weights never have."""
    if len(items) % 2:
        raise Malformed("its pickle has a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        put(target, key, value)
