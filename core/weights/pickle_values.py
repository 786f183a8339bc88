"""Values that a pickle of weights may ask for: tensors and plain containers, made here without calling what is named.

The names stand for what PyTorch's and NumPy's functions of these names would return; none of them is imported, so that
it makes no difference which versions there are, or what other packs have allowed PyTorch's own reader to build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import torch

from .source import Malformed
from .stored_tensor import MAX_DIMENSIONS, Opaque, Storage, StoredTensor, checked

MAX_INTEGER: Final = 2**63
MAX_KEY: Final = 1024  # characters

DTYPES: Final = {f"torch.{name}": value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
STORAGES: Final = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "QInt8": "qint8",
    "QInt32": "qint32",
    "QUInt8": "quint8",
    "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
    "Untyped": "uint8",
    "_Untyped": "uint8",
}
STORAGE_NAME: Final = re.compile(r"torch(?:\.storage|\.cuda)?\.(\w+)Storage")
OTHER_TENSORS: Final = re.compile(r"torch\._utils\._rebuild_\w+|torch\.(cuda\.)?(sparse\.)?[A-Z]\w*Tensor")
QUANTISED: Final = frozenset(DTYPES[f"torch.{name}"] for name in ("qint8", "quint8", "qint32", "quint4x2", "quint2x4"))


@dataclass(frozen=True, slots=True)
class Symbol:
    """Name of a class or function in a pickle. It is never looked up; `known` says that `call` has a meaning for it."""

    name: str
    known: bool


@dataclass(slots=True, eq=False)
class Text:
    """Bytes written as a text, as the oldest pickles do inside NumPy's scalars; `used` once in such a place."""

    used: bool = False


@dataclass(frozen=True, slots=True)
class StorageView:
    """Storage from an element on, as `length` elements."""

    storage: Storage
    first: int
    length: int


def as_symbol(module: str, name: str) -> Symbol | torch.dtype:
    """Return what a global stands for: a number type, or a symbol."""
    full = f"{module}.{name}"
    dtype = DTYPES.get(full)
    if dtype is not None:
        return dtype
    return Symbol(full, full in CALLS or full in NAMES or storage_dtype(full) is not None or _other_tensor(full))


def storage_dtype(name: str) -> torch.dtype | None:
    """Return the number type of a class of storages; None for any other name."""
    found = STORAGE_NAME.fullmatch(name)
    dtype = STORAGES.get(found[1]) if found else None
    return None if dtype is None else DTYPES[f"torch.{dtype}"]


def call(symbol: Symbol, args: Sequence[object]) -> object:
    """Return what a known function or class would give for arguments; raises Malformed for arguments it never has."""
    made = CALLS.get(symbol.name)
    try:
        if made is not None:
            return made(*args)
    except TypeError as error:
        raise Malformed(f"{symbol.name} has {len(args)} arguments") from error
    return Opaque("sparse or other tensor" if _other_tensor(symbol.name) else symbol.name)


def whole(value: object) -> int:
    """Return a whole number of ordinary size; raises Malformed for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_INTEGER:
        raise Malformed("a number of a tensor is no whole number")
    return value


def put(target: dict[object, object], key: object, value: object) -> None:
    """Set an item of a dict; raises Malformed for keys other than texts and small whole numbers.

    Others could take any time to hash, or to compare when many of them share a hash.
    """
    if isinstance(key, str):
        if len(key) > MAX_KEY:
            raise Malformed(f"the name of an entry has {len(key)} characters")
    elif type(key) is not int or abs(key) >= 2**32:
        raise Malformed("a dict has keys other than texts and small whole numbers")
    target[key] = value


def _other_tensor(name: str) -> bool:
    return OTHER_TENSORS.fullmatch(name) is not None and name not in CALLS


def _sizes(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(cast(Sequence[object], value)) > MAX_DIMENSIONS:
        raise Malformed("a tensor's sizes are no list, or too many")
    return tuple(whole(item) for item in cast(Sequence[object], value))


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> StoredTensor | Opaque:
    return _typed(storage, offset, size, stride, None)


def _tensor_v3(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    _grad: object,
    _hooks: object,
    dtype: object,
    *_: object,
) -> StoredTensor | Opaque:
    if not isinstance(dtype, torch.dtype):
        raise Malformed("a tensor has no number type")
    return _typed(storage, offset, size, stride, dtype)


def _typed(
    storage: object, offset: object, size: object, stride: object, dtype: torch.dtype | None
) -> StoredTensor | Opaque:
    if isinstance(storage, Opaque):
        return storage
    if not isinstance(storage, StorageView):
        raise Malformed("a tensor has no storage")
    dtype = dtype or storage.storage.dtype
    if dtype in QUANTISED:
        return Opaque("quantised tensor")
    start = storage.first * storage.storage.dtype.itemsize // dtype.itemsize
    return checked(StoredTensor(storage.storage, dtype, _sizes(size), _sizes(stride), start + whole(offset)))


def _parameter(data: object, *_: object) -> object:
    if not isinstance(data, StoredTensor | Opaque):
        raise Malformed("a parameter is no tensor")
    return data


def _from_type(function: object, kind: object, args: object, _state: object) -> object:
    """Rebuild a tensor that has attributes of its own, without these."""
    plain = isinstance(kind, Symbol) and kind.name in ("torch.Tensor", "torch.nn.parameter.Parameter")
    if not plain or not isinstance(function, Symbol) or not isinstance(args, tuple):
        raise Malformed("a tensor is of an unknown kind")
    return call(function, cast(tuple[object, ...], args))


def _mapping(items: object = ()) -> dict[object, object]:
    if isinstance(items, dict):
        return cast(dict[object, object], items)
    if not isinstance(items, list | tuple):
        raise Malformed("a dict is made of something else")
    made: dict[object, object] = {}
    for pair in cast(Sequence[object], items):
        if not isinstance(pair, list | tuple) or len(cast(Sequence[object], pair)) != 2:
            raise Malformed("a dict is made of something else than pairs")
        put(made, *cast(Sequence[object], pair))
    return made


def _scalar(_dtype: object, value: object = None) -> Opaque:
    if isinstance(value, Text):
        value.used = True
    return Opaque("NumPy scalar")


def _size(sizes: object = ()) -> tuple[int, ...]:
    return _sizes(sizes)


def _encoded(_text: object, _encoding: object = None) -> Text:
    return Text()


CALLS: Final[dict[str, Callable[..., object]]] = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "_codecs.encode": _encoded,
}
"""Names with what a call of them gives."""

NAMES: Final = frozenset(
    {
        *("torch.Tensor", "torch.device", "torch.serialization._get_layout", "numpy.dtype"),
        *("builtins.set", "builtins.complex", "torch.per_channel_affine_float_qparams"),
        *(f"torch.per_{kind}" for kind in ("tensor_affine", "tensor_symmetric", "channel_affine", "channel_symmetric")),
    }
)
"""Other names that PyTorch's own files ask for, with no meaning for weights: a call gives a placeholder."""
