"""What kind of file a weight file is, told by its first bytes before anything reads it."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Final, Literal

from ..errors import CheckpointError, MissingWeightsError

Container = Literal["safetensors", "zip", "pickle"]

MAX_HEADER: Final = 100_000_000  # bytes; the safetensors format allows no longer header
PUBLISHER_TEXTS: Final = (
    (b"<", "a web page (HTML or XML), as hosts send instead of the file when a link has expired"),
    (b"version https://git-lfs", "a Git-LFS pointer, which only names the real file"),
    (b"{", "a JSON text"),
)


def container_of(path: Path) -> Container:
    """How the file is packed: safetensors, torch's zip archive, or its older bare pickle.

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
    """The first 64 bytes of a regular, non-empty file."""
    try:
        if not path.exists():
            raise MissingWeightsError(f"{path} does not exist; put the weight file there or choose another one.")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise CheckpointError(f"{path} is {what}; a weight file is needed. Choose the file itself.")
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        if isinstance(error, MissingWeightsError):
            raise
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
    raise CheckpointError(f"{path} is {_described(head)}; a torch or safetensors file is needed. Download it again.")


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, ValueError):
        return False


def _described(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in PUBLISHER_TEXTS:
        if text.startswith(start):
            return what
    if head.startswith(b"\x1f\x8b"):
        return "compressed with gzip"
    printable = all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    return "a text file" if printable else f"of an unknown format (it starts with {head[:8].hex(' ')})"
