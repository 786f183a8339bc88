"""Files written by torch.save: tensors and plain containers come out, nothing is executed."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import Final

import torch

from ..errors import CheckpointError, listed
from .container import Container
from .pickle_names import refused_names

DAMAGE: Final = (
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
"""What torch's reader and restricted unpickler raise on damaged bytes; they share no base class."""


class NumpyScalar:
    """Stands in for the NumPy scalars and dtypes that FSRT's files keep beside the weights.

    Their values are never used, so nothing of NumPy is called, and files of NumPy 1 and 2 read alike.
    """

    def __init__(self, *_: object) -> None:
        """Takes the arguments of `numpy.dtype` or of a scalar's constructor and forgets them."""

    def __setstate__(self, state: object) -> None:
        """Forgets a dtype's state."""


ALLOWED: Final[list[Callable[..., object] | tuple[Callable[..., object], str]]] = [
    (NumpyScalar, name) for name in ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
]

_allowing: Final = Lock()  # torch keeps the list per process, and leaving would empty it for another thread


def read_torch_file(path: Path, container: Container) -> object:
    """The object in a torch.save file, on the CPU: containers, numbers, strings and tensors only.

    Raises CheckpointError for a damaged file and for one that asks for anything else, naming it.
    """
    if container == "zip":
        _check_archive(path)
    try:
        with _allowing, torch.serialization.safe_globals(ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except DAMAGE as error:
        advice = isinstance(error, UnpicklingError)  # torch's text, which tells users to allow execution
        raise CheckpointError(_reason(error, path, container)) from (None if advice else error)


def _check_archive(path: Path) -> None:
    """Refuse archives that are cut short, not torch's, or would grow when read.

    torch only ever stores; a compressed entry can claim any size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (*DAMAGE, NotImplementedError) as error:
        raise CheckpointError(_damaged(path, error)) from error
    if not any(entry.filename.endswith("/data.pkl") for entry in entries):
        raise CheckpointError(f"{path} is a zip archive without torch's data.pkl; unpack it and use the file inside.")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError(f"{path} is a compressed zip, which torch never writes; download the weights again.")


def _reason(error: Exception, path: Path, container: Container) -> str:
    if isinstance(error, UnpicklingError):
        names = refused_names(path, container)
        if names:
            return (
                f"{path} asks for {listed(names)}, which could run code and was refused; weights need only tensors. "
                "Get the published file, or save the state dicts alone."
            )
    return _damaged(path, error)


def _damaged(path: Path, error: Exception) -> str:
    text = "unreadable pickle" if isinstance(error, UnpicklingError) else f"{type(error).__name__}: {error}"
    detail = re.split(r"[\r\n]|\. ", text)[0].rstrip(".")[:160]
    return (
        f"{path} is damaged or cut short ({path.stat().st_size} bytes, {detail}); "
        "a whole weight file is needed. Download it again."
    )
