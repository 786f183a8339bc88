"""Tensors as weight files keep them: a shape over bytes at a known place, checked first and read when needed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from torch import Tensor

from .source import Foreign, Malformed, Source

MAX_DIMENSIONS: Final = 32
MAX_ELEMENTS: Final = 2**48  # of dimensions that are not 0; keeps PyTorch's own arithmetic from overflowing
SPARE_VIEWS: Final = 16 * 2**20  # bytes that tensors may claim beyond the bound of `check_claims`
MAX_VIEWS: Final = 4  # times that the tensors of a file may claim the bytes of its storages
LEAST_MAPPED: Final = 2**16  # bytes; the small fit into memory twice
ALIGNMENT: Final = 8  # bytes, as of the largest numbers
MAX_DEPTH: Final = 64  # of dicts and lists in each other


Container = dict[object, object] | list[object] | tuple[object, ...]


@dataclass(slots=True, eq=False)
class Storage:
    """Bytes that one or more tensors lie in. `swapped` says that numbers have the other byte order than this machine's.

    `position` is where they begin in the file; None until that is known.
    """

    dtype: torch.dtype
    nbytes: int
    position: int | None = None
    swapped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """Tensor of a weight file that was not read yet; strides and offset count elements of its dtype."""

    storage: Storage
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel * self.dtype.itemsize

    @property
    def oversized(self) -> bool:
        """Tell whether it claims more elements than there are behind it, as a stretched one does."""
        return self.nbytes > self.storage.nbytes


@dataclass(frozen=True, slots=True)
class Opaque:
    """Placeholder of a value that weights do not need, with the kind that messages give it; nothing was built."""

    kind: str


def checked(tensor: StoredTensor) -> StoredTensor:
    """Return a tensor; raises Malformed unless it lies within its storage."""
    shape, strides, offset = tensor.shape, tensor.strides, tensor.offset
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise Malformed(f"a tensor has {len(shape)} dimensions and {len(strides)} strides")
    if offset < 0 or any(number < 0 for number in (*shape, *strides)):
        raise Malformed("a tensor has a negative size, stride or offset")
    if math.prod(side for side in shape if side) > MAX_ELEMENTS or max((*strides, 0)) > MAX_ELEMENTS:
        raise Malformed("a tensor has too many elements")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if 0 not in shape and (last + 1) * tensor.dtype.itemsize > tensor.storage.nbytes:
        raise Malformed("a tensor reaches beyond its storage")
    return tensor


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a tensor whose elements follow each other row by row."""
    strides: list[int] = []
    step = 1
    for side in reversed(shape):
        strides.append(step)
        step *= max(side, 1)
    return tuple(reversed(strides))


def check_claims(tensors: Iterable[StoredTensor]) -> None:
    """Raise Foreign if many tensors share few bytes, so that each made a tensor of its own would fill the memory."""
    claimed, behind = 0, dict[Storage, int]()
    for tensor in tensors:
        claimed += tensor.nbytes
        behind[tensor.storage] = tensor.storage.nbytes
    if claimed > MAX_VIEWS * sum(behind.values()) + SPARE_VIEWS:
        raise Foreign(
            f"made of tensors that claim {claimed} bytes of the {sum(behind.values())} that it has for them, which no "
            "published weights are. Save the state dicts anew."
        )


class TensorReader:
    """Reader of the tensors of an open file. Each storage is read once, and tensors that share one go on sharing it.

    `given` lists the tensors that were read.
    """

    def __init__(self, source: Source) -> None:
        self.given: list[StoredTensor] = []
        self._source = source
        self._bytes: dict[Storage, Tensor] = {}
        self._turned: dict[tuple[Storage, torch.dtype], Tensor] = {}
        self._done: dict[int, object] = {}  # containers that `tree` has rebuilt, by id; None for those it is inside of

    def tensor(self, stored: StoredTensor) -> Tensor:
        """Read one tensor; raises Malformed if the file does not have all of it."""
        self.given.append(stored)
        return self._numbers(stored.storage, stored.dtype).as_strided(stored.shape, stored.strides, stored.offset)

    def _numbers(self, storage: Storage, dtype: torch.dtype) -> Tensor:
        """Return a storage as a flat tensor, in this machine's byte order."""
        raw = self._raw(storage)
        size = dtype.itemsize
        flat = raw[: raw.numel() // size * size]
        if not storage.swapped or size == 1:
            return flat.view(dtype)
        if (storage, dtype) not in self._turned:
            self._turned[storage, dtype] = flat.view(-1, size).flip(1).reshape(-1).view(dtype)
        return self._turned[storage, dtype]

    def _raw(self, storage: Storage) -> Tensor:
        """Read the bytes of a storage, if they were not read already."""
        if storage in self._bytes:
            return self._bytes[storage]
        if storage.position is None or storage.position + storage.nbytes > self._source.size:  # before memory is taken
            raise Malformed("the bytes of a tensor are not in it")
        raw = self._mapped(storage.position, storage.nbytes)
        self._bytes[storage] = self._read(storage.position, storage.nbytes) if raw is None else raw
        return self._bytes[storage]

    def _mapped(self, position: int, nbytes: int) -> Tensor | None:
        """Show bytes where they lie in the file; None where they are not aligned, or few."""
        if nbytes < LEAST_MAPPED or position % ALIGNMENT:
            return None
        mapping = self._source.mapped()
        return None if mapping is None else torch.frombuffer(mapping, dtype=torch.uint8, count=nbytes, offset=position)

    def _read(self, position: int, nbytes: int) -> Tensor:
        """Copy bytes out of the file."""
        try:
            raw = torch.empty(nbytes, dtype=torch.uint8)
        except RuntimeError as error:  # so PyTorch says it
            raise MemoryError(str(error)) from error
        if nbytes:
            self._source.read_into(position, memoryview(cast(Any, raw.numpy())))
        return raw

    def tree(self, value: object, depth: int = 0) -> object:
        """Read every tensor in dicts, lists and tuples, which are rebuilt; raises Malformed if they nest too deeply.

        Tensors that cannot be read as plain ones stay placeholders.
        """
        if isinstance(value, StoredTensor):
            return Opaque("stretched tensor") if value.oversized else self.tensor(value)
        if not isinstance(value, dict | list | tuple):
            return value
        return self._container(cast(Container, value), depth)

    def _container(self, value: Container, depth: int) -> object:
        """Rebuild a container once, however many others hold it."""
        if id(value) in self._done and self._done[id(value)] is not None:
            return self._done[id(value)]
        if depth > MAX_DEPTH or id(value) in self._done:
            raise Malformed(f"it nests more than {MAX_DEPTH} levels deep")
        self._done[id(value)] = None
        if isinstance(value, dict):
            rebuilt: Container = {key: self.tree(item, depth + 1) for key, item in value.items()}
        else:
            items = [self.tree(item, depth + 1) for item in value]
            rebuilt = items if isinstance(value, list) else tuple(items)
        self._done[id(value)] = rebuilt
        return rebuilt
