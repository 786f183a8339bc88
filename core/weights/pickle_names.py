"""Which Python objects a torch file asks for, read from its pickles without running them."""

from __future__ import annotations

import pickletools
import re
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final

from .container import Container

PICKLES_IN_LEGACY_FILE: Final = 5  # magic number, protocol, system facts, the object, its storages' keys
MAX_STEPS: Final = 500_000  # of a pickle; keeps a made-up file from taking long
MAX_PICKLE: Final = 64 * 2**20  # bytes; more than enough, as the tensors themselves lie elsewhere
ORDINARY: Final = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch(\.storage)?\.\w*Storage"
    r"|torch\.(Size|Tensor|device|[a-z]*\d+)|torch\.nn\.parameter\.Parameter|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|numpy\.dtype|numpy\._?core\.multiarray\.scalar"
)


def refused_names(path: Path, container: Container) -> list[str]:
    """Names of classes and functions, as `module.name`, that tensors and their dicts have no need of.

    For a message only: what may be built is decided by torch's own restricted unpickler.
    """
    names: dict[str, None] = {}
    try:
        for name in islice(_globals(path, container), MAX_STEPS):
            if not ORDINARY.fullmatch(name):
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
    """The names one pickle asks for; the file is left just after it.

    Bytes in memory, as a real file would try to make room for whatever length a damaged pickle claims.
    """
    strings = ["", ""]  # the two that a STACK_GLOBAL instruction would take from the stack
    for step, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if step > MAX_STEPS:
            return
        if opcode.name == "GLOBAL" and isinstance(argument, str):
            yield _today(*argument.split(" ", 1))
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(strings)
        elif isinstance(argument, str):
            strings = [strings[1], argument]


def _today(module: str, name: str) -> str:
    """Python 3's name for what pickles of torch's default protocol call as Python 2 did."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return f"{module}.{name}"
