"""Files of ONNX Runtime for browsers, taken from the package that its makers publish: pinned, and checked."""

from __future__ import annotations

import base64
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..core.errors import DownloadError, InputError
from ..core.input_file import open_file
from ..core.output_path import shown
from ..core.weights.catalog import PublishedWeights
from ..core.weights.download import download

VERSION: Final = "1.30.0"
NAME: Final = f"onnxruntime-web-{VERSION}.tgz"
PAGE: Final = f"https://www.npmjs.com/package/onnxruntime-web/v/{VERSION}"
ADDRESS: Final = f"https://registry.npmjs.org/onnxruntime-web/-/{NAME}"
SHA512: Final = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Integrity of the package as the registry states it, in base64."""

PACKAGE: Final = PublishedWeights(
    name="onnxruntime-web",
    files=(NAME,),
    page=PAGE,
    paper="",
    sha256="d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
    size=33106585,
    url=ADDRESS,
    licence="MIT",
)
NEEDED: Final = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.jspi.min.mjs",  # with WebGPU
    "ort-wasm-simd-threaded.jspi.mjs",
    "ort-wasm-simd-threaded.jspi.wasm",
)
FOLDER: Final = "package/dist/"  # in the archive
MOST_ENTRIES: Final = 2000
LARGEST: Final = 64 * 2**20  # bytes of one file
BLOCK: Final = 2**20


def cache_folder() -> Path:
    """Return the folder in which the package is kept once it was downloaded."""
    given = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "first-order-motion"


def fetch_package(
    progress: Callable[[int, int | None], None], check_cancelled: Callable[[], None] = lambda: None
) -> Path:
    """Download the package, or take the one that was downloaded before. Raises DownloadError."""
    try:
        return download(PACKAGE, cache_folder(), progress, check_cancelled)
    except DownloadError as error:
        raise DownloadError(f"{error} Or get it where there is a network, and name it with --runtime.") from error


def extract_runtime(package: Path, folder: Path) -> int:
    """Write the files that the page needs from the package into a folder, and return their bytes.

    Raises InputError for a file that is not the pinned package, bit for bit.
    """
    _check(package)
    missing, written = {*NEEDED}, 0
    for name, content in _contents(package):
        (folder / name).write_bytes(content)
        missing.discard(name)
        written += len(content)
    if missing:
        raise InputError(f"is {shown(package)}, which lacks {min(missing)}. Get {NAME} from {PAGE}.", "runtime")
    return written


def _check(package: Path) -> None:
    digest = hashlib.sha512()
    try:
        with open_file(package) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputError(f"is {shown(package)}, which cannot be read ({error.strerror}).", "runtime") from error
    if base64.b64encode(digest.digest()).decode() != SHA512:
        raise InputError(
            f"is {shown(package)}, whose SHA-512 is not that of {NAME}. Get exactly that version from {PAGE}.",
            "runtime",
        )


def _contents(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the needed files, which are read as bytes: nothing is unpacked by its own path."""
    try:
        with tarfile.open(package, "r:gz") as archive:
            for count, entry in enumerate(archive):
                name = entry.name.removeprefix(FOLDER)
                wanted = entry.name.startswith(FOLDER) and name in NEEDED and entry.isfile()
                if count >= MOST_ENTRIES or (wanted and entry.size > LARGEST):
                    break
                file = archive.extractfile(entry) if wanted else None
                if file is not None:
                    yield name, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"is {shown(package)}, which is no readable archive ({error}).", "runtime") from error
