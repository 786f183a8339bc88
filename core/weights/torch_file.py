"""Files written by torch.save: recognised by their first bytes, and read without executing anything."""

from __future__ import annotations

import pickletools
import re
import struct
import tarfile
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import Any, Final, Literal, cast

import torch

from ..errors import CheckpointError, MissingWeightsError, join_names

Container = Literal["safetensors", "zip", "pickle"]

MAX_HEADER: Final = 100_000_000  # bytes; the safetensors format allows no longer header
PUBLISHER_TEXTS: Final = (
    (b"<", "a web page (HTML or XML), as hosts send instead of the file when a link has expired"),
    (b"version https://git-lfs", "a Git-LFS pointer, which only names the real file"),
    (b"{", "a JSON text"),
)

PICKLES_IN_LEGACY_FILE: Final = 5  # magic number, protocol, system facts, the object, its storages' keys
MAX_STEPS: Final = 500_000  # of a pickle; keeps a made-up file from taking long
MAX_PICKLE: Final = 64 * 2**20  # bytes; more than enough, as the tensors themselves lie elsewhere
EXPECTED_GLOBALS: Final = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch(\.storage)?\.\w*Storage"
    r"|torch\.(Size|Tensor|device|[a-z]*\d+)|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|numpy\.dtype|numpy\._?core\.multiarray\.scalar"
)

READ_ERRORS: Final = (
    UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)
"""Errors that torch's reader and restricted unpickler raise on damaged bytes; they share no base class."""


def container_of(path: Path) -> Container:
    """Tell how a weight file is packed: safetensors, torch's zip archive, or its older bare pickle.

    A file called .safetensors promises to hold no pickle, so it must be what its name says.

    Raises MissingWeightsError if there is no such file, CheckpointError if it is no weight file.
    """
    head = _head(path)
    kind = _kind(head, path)
    if path.suffix.lower() == ".safetensors" and kind != "safetensors":
        raise CheckpointError(
            f"{path} is called .safetensors but holds a torch file; rename it to .pth if you trust where it came from."
        )
    return kind


def _head(path: Path) -> bytes:
    """Read the first 64 bytes of a regular, non-empty file."""
    try:
        if not path.exists():
            raise MissingWeightsError(f"{path} does not exist; put the weight file there or choose another one.")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise CheckpointError(f"{path} is {what}; a weight file is needed. Choose the file itself.")
        with path.open("rb") as file:
            head = file.read(64)
    except MissingWeightsError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check its permissions and disk.") from error
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes); delete it and download the weights again.")
    return head


def _kind(head: bytes, path: Path) -> Container:
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if _is_tar(path):  # before "pickle": the first byte of a tar is its maker's choice
        raise CheckpointError(f"{path} is a real tar archive; unpack it and use the weight file inside.")
    if head.startswith(b"\x80"):
        return "pickle"
    raise CheckpointError(
        f"{path} is {_describe_unknown(head)}; a torch or safetensors file is needed. Download it again."
    )


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, ValueError):
        return False


def _describe_unknown(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in PUBLISHER_TEXTS:
        if text.startswith(start):
            return what
    if head.startswith(b"\x1f\x8b"):
        return "compressed with gzip"
    printable = all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    return "a text file" if printable else f"of an unknown format (it starts with {head[:8].hex(' ')})"


class NumpyScalar:
    """Stand-in for the NumPy scalars and dtypes that FSRT's files keep beside the weights.

    Their values are never used, so nothing of NumPy is called, and files of NumPy 1 and 2 read alike.
    """

    def __init__(self, *_: object) -> None:
        """Take the arguments of `numpy.dtype` or of a scalar's constructor and forget them."""

    def __setstate__(self, state: object) -> None:
        """Forget a dtype's state."""


Allowed = list[Callable[..., object] | tuple[Callable[..., object], str]]
ALLOWED: Final[Allowed] = [
    (NumpyScalar, name) for name in ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
]

_allowing: Final = Lock()  # torch keeps one list per process


@contextmanager
def _only_ours() -> Generator[None, None, None]:
    """Let torch's unpickler build what is in ALLOWED, and nothing that other packs in the process have allowed.

    They may have allowed NumPy's own scalars, of which torch would take either those or the stand-ins, by chance.
    """
    with _allowing:
        serialization = cast(Any, torch.serialization)  # these functions have no types
        others: Allowed = serialization.get_safe_globals()
        serialization.clear_safe_globals()
        try:
            serialization.add_safe_globals(ALLOWED)
            yield
        finally:
            serialization.clear_safe_globals()
            serialization.add_safe_globals(others)


def read_torch_file(path: Path, container: Container) -> object:
    """Read the object in a torch.save file, on the CPU: containers, numbers, strings and tensors only.

    Raises CheckpointError for a damaged file and for one that asks for anything else, naming it.
    """
    if container == "zip":
        _check_archive(path)
    try:
        with _only_ours():
            return torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except READ_ERRORS as error:
        advice = isinstance(error, UnpicklingError)  # torch's text, which tells users to allow execution
        raise CheckpointError(_reason(error, path, container)) from (None if advice else error)


def _check_archive(path: Path) -> None:
    """Refuse archives that are cut short, not torch's, or would grow when read.

    torch only ever stores; a compressed entry can claim any size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*READ_ERRORS, NotImplementedError) as error:
        raise CheckpointError(_damage_message(path, error)) from error
    if not any(entry.filename.endswith("/data.pkl") for entry in entries):
        raise CheckpointError(f"{path} is a zip archive without torch's data.pkl; unpack it and use the file inside.")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError(f"{path} is a compressed zip, which torch never writes; download the weights again.")


def _reason(error: Exception, path: Path, container: Container) -> str:
    if isinstance(error, UnpicklingError):
        names = refused_names(path, container)
        if names:
            return (
                f"{path} asks for {join_names(names)}, which could run code and was refused; weights need "
                "only tensors. Get the published file, or save the state dicts alone."
            )
    return _damage_message(path, error)


def _damage_message(path: Path, error: Exception) -> str:
    text = "unreadable pickle" if isinstance(error, UnpicklingError) else f"{type(error).__name__}: {error}"
    detail = re.split(r"[\r\n]|\. ", text)[0].rstrip(".")[:160]
    return (
        f"{path} is damaged or cut short ({path.stat().st_size} bytes, {detail}); "
        "a whole weight file is needed. Download it again."
    )


def refused_names(path: Path, container: Container) -> list[str]:
    """List the classes and functions, as `module.name`, that a file asks for and tensors and their dicts do not need.

    For a message only: what may be built is decided by torch's own restricted unpickler.
    """
    names: dict[str, None] = {}
    try:
        for name in islice(_globals(path, container), MAX_STEPS):
            if not EXPECTED_GLOBALS.fullmatch(name):
                names[name] = None
    except (ValueError, EOFError, LookupError, OSError, zipfile.BadZipFile, NotImplementedError):
        pass  # a damaged pickle: what was found before the damage is all there is
    return list(names)


def _globals(path: Path, container: Container) -> Iterator[str]:
    if container == "zip":
        with zipfile.ZipFile(path) as archive:
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
            for entry in pickles[:1]:
                with archive.open(entry) as file:
                    yield from _globals_in(BytesIO(file.read(MAX_PICKLE)))
    else:
        with path.open("rb") as file:
            head = BytesIO(file.read(MAX_PICKLE))
        for _ in range(PICKLES_IN_LEGACY_FILE):
            yield from _globals_in(head)


def _globals_in(file: BytesIO) -> Iterator[str]:
    """Yield the names that one pickle asks for, and leave the file just after it.

    Bytes in memory, as a real file would try to make room for whatever length a damaged pickle claims.
    """
    strings = ["", ""]  # the two that a STACK_GLOBAL instruction would take from the stack
    for step, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if step > MAX_STEPS:
            return
        if opcode.name == "GLOBAL" and isinstance(argument, str):
            yield _python3_name(*argument.split(" ", 1))
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(strings)
        elif isinstance(argument, str):
            strings = [strings[1], argument]


def _python3_name(module: str, name: str) -> str:
    """Translate a global's Python 2 name, as in pickles of torch's default protocol, to Python 3's."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return f"{module}.{name}"
