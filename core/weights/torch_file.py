"""Files written by torch.save, of either kind: their object, with tensors that are read only when they are needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import torch

from .container import Container
from .pickle_reader import read_pickle
from .pickle_values import StorageView, Symbol, storage_dtype, whole
from .source import Foreign, Malformed, Refused, Source, open_source
from .stored_tensor import Opaque, Storage, TensorReader
from .zip_directory import Entry, read_directory

MAX_PICKLE: Final = 16 * 2**20  # bytes; the tensors themselves lie elsewhere
MAGIC_BYTES: Final = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")  # of the first value of the older kind of file
MAGIC_WITHIN: Final = 24  # bytes, whatever the pickle's protocol
PROTOCOL: Final = 1001  # second value
COUNT: Final = 8  # bytes that say how many elements a storage of the older kind has


def read_torch_file(path: Path, container: Container) -> object:
    """Read the whole object in a torch.save file, on the CPU: dicts, lists, numbers, texts and tensors only.

    What is none of these is an Opaque. Raises CheckpointError for a damaged file, and for one that asks for classes or
    functions, naming them. Nothing in a file is ever executed.
    """
    with open_source(path) as source:
        return TensorReader(source).tree(scan_torch_file(source, container))


def scan_torch_file(source: Source, container: Container) -> object:
    """Read the object in an open torch.save file, with a StoredTensor in the place of each tensor.

    Raises Malformed or Refused, which `open_source` turns into errors for users.
    """
    return _scan_zip(source) if container == "zip" else _scan_legacy(source)


def _scan_zip(source: Source) -> object:
    """Read an archive: a pickle `data.pkl`, and beside it a file `data/KEY` for each storage."""
    entries = read_directory(source)
    name = _pickle_name(entries)
    entry, folder = entries[name], name.removesuffix("data.pkl")
    if entry.size > MAX_PICKLE:
        raise Malformed(f"its data.pkl has {entry.size} bytes; {MAX_PICKLE} at most were expected")

    def place(key: str, storage: Storage) -> None:
        found = entries.get(f"{folder}data/{key}")
        if found is None or found.size < storage.nbytes:
            raise Malformed("the bytes of a tensor are not in it")
        storage.position = found.position

    storages = _Storages(_swapped(source, entries.get(folder + "byteorder")), place)
    return read_pickle(source.read(entry.position, entry.size), 0, storages.load)[0]


def _pickle_name(entries: Mapping[str, Entry]) -> str:
    """Return the name of an archive's one data.pkl; raises Foreign, naming it, for an archive of another kind."""
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in entries):
        raise Foreign("a TorchScript program, which is code; weights are needed. Save its state_dict().")
    if entries and all(name.endswith(".npy") for name in entries):
        raise Foreign("an archive of NumPy arrays (.npz); a torch or safetensors file is needed. Choose another file.")
    if "model.weights.h5" in entries:
        raise Foreign("a Keras model; a torch or safetensors file is needed. Choose another file.")
    if not pickles:
        raise Foreign("a zip archive without torch's data.pkl; unpack it and use the file inside.")
    if not all(entry.stored for entry in entries.values()):
        raise Foreign("a compressed or encrypted zip, which torch never writes; download the weights again.")
    if len(pickles) > 1:
        raise Malformed(f"it holds {len(pickles)} files called data.pkl")
    return pickles[0]


def _swapped(source: Source, order: Entry | None) -> bool:
    """Tell whether an archive has the other byte order than this machine; without a word, it is little-endian."""
    text = "little" if order is None else source.read(order.position, min(order.size, 16)).decode("ascii", "replace")
    if text not in ("little", "big"):
        raise Malformed("its byte order is neither little nor big")
    return text != sys.byteorder


def _scan_legacy(source: Source) -> object:
    """Read the older kind: pickles of a magic number, a protocol, facts about the system, the object and its storages'
    keys; behind them, storage by storage, the number of elements and these, little-endian.
    """
    data = source.read(0, min(source.size, MAX_PICKLE))
    if MAGIC_BYTES not in data[:MAGIC_WITHIN]:
        _refuse_other_pickle(data)
    _, end = read_pickle(data, 0, _no_storage)
    protocol, end = read_pickle(data, end, _no_storage)
    if protocol != PROTOCOL:
        raise Malformed("it is of an unknown version of torch.save")
    _, end = read_pickle(data, end, _no_storage)
    storages = _Storages(swapped=sys.byteorder == "big")
    value, end = read_pickle(data, end, storages.load)
    keys, end = read_pickle(data, end, _no_storage)
    if not isinstance(keys, list):
        raise Malformed("it does not list its storages")
    _place_legacy(source, storages.by_key, cast(list[object], keys), end)
    return value


def _refuse_other_pickle(data: bytes) -> NoReturn:
    """Refuse a pickle that torch.save did not begin, for what it is."""
    storages: list[object] = []

    def note(identity: object) -> object:
        storages.append(identity)
        return Opaque("storage")

    try:
        read_pickle(data, 0, note)
    except Refused as names:
        if "numpy" in str(names) and not storages:
            raise Foreign(
                f"a pickle of NumPy arrays ({names}), as Paddle writes; a torch or safetensors file is needed. "
                "Choose another file."
            ) from None
        if not storages:
            raise
    except Malformed:
        if not storages:
            raise
    if storages:
        raise Foreign(
            "a part of an unpacked weight file; choose the unopened file (.pth, .pt, .pth.tar) instead, or download it "
            "again without unpacking it."
        )
    raise Foreign("a pickle, but none of torch.save, and holds no tensors; a weight file is needed.")


def _place_legacy(source: Source, storages: Mapping[str, Storage], keys: Sequence[object], at: int) -> None:
    """Find out where each storage begins."""
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or storage.position is not None:
            raise Malformed("it lists a storage twice, or one that no tensor has")
        count = int.from_bytes(source.read(at, COUNT), "little", signed=True)
        if count * storage.dtype.itemsize != storage.nbytes:
            raise Malformed("a storage has another number of elements than its tensors say")
        storage.position = at + COUNT
        at = storage.position + storage.nbytes
        if at > source.size:
            raise Malformed(f"it ends before byte {at}")


def _no_storage(_identity: object) -> object:
    raise Malformed("a storage stands where none is expected")


class _Storages:
    """Storages of a file by key, as they are met in its pickle; `place` finds the bytes of each, where it can."""

    def __init__(self, swapped: bool, place: Callable[[str, Storage], None] | None = None) -> None:
        self.by_key: dict[str, Storage] = {}
        self._swapped, self._place = swapped, place

    def load(self, identity: object) -> StorageView | Opaque:
        """Return what a persistent id stands for: (part of) a storage, or a placeholder for a class's source text."""
        parts = cast(tuple[Any, ...], identity) if isinstance(identity, tuple) else tuple[Any, ...]()
        if parts[:1] == ("module",):
            return Opaque("class")
        if len(parts) not in (5, 6) or parts[0] != "storage" or not isinstance(parts[2], str | int):
            raise Malformed("a storage is described in an unknown way")
        dtype = storage_dtype(parts[1].name) if isinstance(parts[1], Symbol) else None
        if dtype is None:
            raise Malformed("a storage is of an unknown kind")
        storage, length = self._storage(str(parts[2]), dtype, whole(parts[4])), whole(parts[4])
        view = parts[5] if len(parts) == 6 else None
        if view is None:
            return StorageView(storage, 0, length)
        if not isinstance(view, tuple) or len(cast(tuple[object, ...], view)) != 3:
            raise Malformed("a part of a storage is described in an unknown way")
        _, first, length = cast(tuple[object, object, object], view)
        return StorageView(storage, whole(first), whole(length))

    def _storage(self, key: str, dtype: torch.dtype, length: int) -> Storage:
        if length < 0:
            raise Malformed("a storage has a negative length")
        known = self.by_key.get(key)
        if known is None:
            known = self.by_key[key] = Storage(dtype, length * dtype.itemsize, swapped=self._swapped)
            if self._place:
                self._place(key, known)
        elif (known.dtype, known.nbytes) != (dtype, length * dtype.itemsize):
            raise Malformed("a storage is described in two ways")
        return known
