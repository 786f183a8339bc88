"""Recognition of weight files by their first bytes, and names for what often stands in their place."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Final, Literal

from ..errors import CheckpointError, MissingWeightsError

Container = Literal["safetensors", "zip", "pickle"]

HEAD: Final = 512  # bytes that are looked at
MAX_HEADER: Final = 100_000_000  # bytes; the safetensors format allows no longer header

TEXTS: Final = (
    (b"<", "a web page (HTML or XML), as hosts send instead of the file when a link has expired"),
    (b"version https://git-lfs", "a Git-LFS pointer, which only names the real file"),
    (b"{", "a JSON text"),
    (b"[", "a JSON text"),
)
PACKED: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
FORMATS: Final = (
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras writes"),
    (rb"GGUF", "a GGUF file of a language model"),
    (rb".{4}TFL3", "a TensorFlow Lite model"),
    (rb"\x93NUMPY", "a NumPy array (.npy)"),
    (rb"\x08[\x01-\x1f](\x12.[a-zA-Z]|[:B]|\x1a)", "an ONNX model"),
    (rb"\x89PNG", "a picture (PNG)"),
    (rb"\xff\xd8\xff", "a picture (JPEG)"),
    (rb"GIF8", "a picture (GIF)"),
    (rb"RIFF.{4}WEBP", "a picture (WebP)"),
    (rb"BM.{4}\0\0\0\0", "a picture (BMP)"),
    (rb"II\*\0|MM\0\*", "a picture (TIFF)"),
    (rb".{4}ftyp(avif|avis|heic|heix|mif1)", "a picture (AVIF or HEIC)"),
    (rb".{4}ftyp", "a video (MP4)"),
    (rb"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (rb"RIFF.{4}AVI ", "a video (AVI)"),
    (rb"\0\0\x01[\xb3\xba]", "a video (MPEG)"),
    (rb"RIFF.{4}WAVE|OggS|ID3|fLaC", "a sound file"),
    (rb"%PDF", "a PDF document"),
    (rb"\x7fELF|MZ\x90\0", "a program"),
)
NEEDED: Final = "a torch or safetensors file is needed"


def container_of(path: Path) -> Container:
    """Tell how a weight file is packed: safetensors, torch's zip archive, or its older bare pickle.

    A file called .safetensors promises to hold no pickle, so it must be what its name says.

    Raises MissingWeightsError if there is no such file, CheckpointError, which names what it is, for no weight file.
    """
    head = _head(path)
    kind = _kind(head, path)
    if path.suffix.lower() == ".safetensors" and kind != "safetensors":
        raise CheckpointError(
            f"{path} is called .safetensors but holds a torch file; rename it to .pth if you trust where it came from."
        )
    return kind


def _head(path: Path) -> bytes:
    """Read the first bytes of a regular, non-empty file."""
    try:
        if not path.exists():
            raise MissingWeightsError(f"{path} does not exist; put the weight file there or choose another one.")
        if not path.is_file():
            raise CheckpointError(f"{path} is {_describe_no_file(path)}")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except MissingWeightsError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(f"{path} cannot be read ({reason}); check its permissions and disk.") from error
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes); delete it and download the weights again.")
    return head


def _describe_no_file(path: Path) -> str:
    if not path.is_dir():
        return "no regular file; a weight file is needed. Choose the file itself."
    if (path / "data.pkl").is_file() or any((child / "data.pkl").is_file() for child in (path / "archive",)):
        return "a folder with an unpacked weight file; choose the unopened file (.pth, .pt, .pth.tar) instead."
    return "a folder; a weight file is needed. Choose the file itself."


def _kind(head: bytes, path: Path) -> Container:
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if _is_tar(head):  # before "pickle": the first byte of a tar is its maker's choice
        raise CheckpointError(f"{path} is a real tar archive; unpack it and use the weight file inside.")
    if head.startswith(b"\x80"):
        return "pickle"
    raise CheckpointError(f"{path} is {describe_unknown(head, path)}")


def _is_tar(head: bytes) -> bool:
    """Tell whether a file begins with a tar's entry, which has a sum of itself. (`is_tarfile` would unpack others.)"""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def describe_unknown(head: bytes, path: Path) -> str:
    """Say what a file is that is no weight file, and what to do: the words of a message after "is"."""
    what, advice = name_unknown(head, path)
    return f"{what}; {advice}"


def name_unknown(head: bytes, path: Path) -> tuple[str, str]:
    """Name what a file is that is no weight file, and say what to do where one is needed."""
    for start, packer in PACKED:
        if head.startswith(start):
            return f"compressed with {packer}", f"{NEEDED}. Unpack it and use the file inside."
    for pattern, what in FORMATS:
        if re.match(pattern, head, re.DOTALL):
            return what, f"{NEEDED}. Choose another file."
    if any((folder / "data.pkl").is_file() for folder in path.resolve().parents[:2]):
        return "a part of an unpacked weight file", "choose the unopened file (.pth, .pt, .pth.tar) instead."
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in TEXTS:
        if text.startswith(start):
            return what, f"{NEEDED}. Download it again."
    printable = all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head[:64])
    what = "a text file" if printable else f"of an unknown format (it starts with {head[:8].hex(' ')})"
    return what, f"{NEEDED}. Download it again."
