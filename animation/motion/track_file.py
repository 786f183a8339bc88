"""Motion files: poses as safetensors, with the model that its poses belong to among the metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] (its PathLike has no parameter)
from torch import Tensor

from ...core.atomic_file import atomic_write
from ...core.errors import InputError, MediaError, quote, reason_in
from ...core.output_path import check_folder, check_output
from ...core.types import Motion
from ...core.unfinished import make_folder
from ...core.weights.container import HEAD, name_unknown
from ...core.weights.safetensors_file import scan_safetensors
from ...core.weights.source import Malformed, open_source
from ...core.weights.stored_tensor import StoredTensor, TensorReader
from ..media.frame_rate import MAX_RATE
from .identity import ModelIdentity

SUFFIX = ".safetensors"
FORMAT, VERSION = "first-order-motion", "1"  # in the metadata, so that no weight file is taken for one
POINTS, JACOBIANS, EXTRA = "points", "jacobians", "extra."
MOST_BYTES = 2**30
HEADER_AT = 8  # byte at which the header of a safetensors file begins
FARTHEST = 1e6  # of any number of a pose; pictures span -1 to 1
MOST_FRAMES, MOST_POINTS, MOST_NUMBERS, MOST_EXTRAS = 10**7, 1000, 2**14, 8
ADVICE = "a whole motion file was wanted. Save it again."
HASH = re.compile(r"[0-9a-f]{64}")
RATE = re.compile(r"[1-9][0-9]{0,11}(/[1-9][0-9]{0,6})?")
WHOLE = re.compile(r"[1-9][0-9]{0,4}")
NAME = re.compile(r"[a-z_]{1,40}")


def is_motion_file(path: str | Path) -> bool:
    """Tell by its name whether a file holds movement."""
    return Path(path).suffix.lower() == SUFFIX


def check_motion_file(path: Path) -> None:
    """Raise InputError or MediaError where no motion file can be written to `path`."""
    if not is_motion_file(path):
        raise InputError(f"is {path}; a name that ends in {SUFFIX} was wanted. Rename it.", "motion_file")
    check_folder(path.parent)
    if path.parent.exists():
        check_output(path)


def write_motion_file(path: Path, motion: Motion, rate: Fraction, model: ModelIdentity, size: int) -> None:
    """Write poses to a file, whole or not at all. Raises InputError for another suffix, MediaError from the disk."""
    check_motion_file(path)
    tensors = {POINTS: motion.points} | {EXTRA + name: value for name, value in motion.extra.items()}
    if motion.jacobians is not None:
        tensors[JACOBIANS] = motion.jacobians
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": model.architecture,
        "weights_sha256": model.weights,
        "weights_name": model.name,
        "rate": str(rate.limit_denominator(10**6)),
        "size": str(size),
    }
    try:
        make_folder(path.parent)
        with atomic_write(path) as part:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(part), metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise MediaError(
            f"{path} cannot be written ({reason_in(error)}). Check the folder and its free space."
        ) from error


def read_motion_file(path: Path) -> tuple[Motion, Fraction, ModelIdentity, int]:
    """Read poses from a file that anyone may have written, in time and memory that its size bounds.

    Returns them with their rate, the model that read them, and the size it worked at. Raises MediaError for a file that
    is missing, CheckpointError for one that is damaged, InputError for one that holds something else, or poses that are
    no numbers.
    """
    if not path.is_file():
        raise MediaError(f"{path} does not exist, or is no file; a motion file was wanted. Check the path.")
    if path.stat().st_size > MOST_BYTES:
        raise _refusal(path, f"has more than {MOST_BYTES} bytes")
    if other := _named_otherwise(path):
        raise _refusal(path, f"is {other}")
    with open_source(path, ADVICE) as source:
        stored, metadata = scan_safetensors(source)
        if metadata.get("format") != FORMAT:
            raise _refusal(path, "holds no motion but something else, perhaps weights")
        if metadata.get("version") != VERSION:
            raise _refusal(path, f"is of version {quote(metadata.get('version'), 20)}, which this pack does not know")
        identity, rate, size = _read_metadata(path, metadata)
        _check_entries(stored)
        reader = TensorReader(source)
        tensors = {name: reader.tensor(entry) for name, entry in stored.items()}
    _check_finite(path, tensors)
    extra = {name.removeprefix(EXTRA): value for name, value in tensors.items() if name.startswith(EXTRA)}
    return Motion(tensors[POINTS], tensors.get(JACOBIANS), extra), rate, identity, size


def _named_otherwise(path: Path) -> str:
    """Name what a file is that begins as no safetensors file does; "" for one that does, or is too short to tell."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return ""  # which reading it tells better
    return "" if len(head) <= HEADER_AT or head[HEADER_AT:].startswith(b"{") else name_unknown(head, path)[0]


def _refusal(path: Path, what: str) -> InputError:
    return InputError(
        f"is {path}, which {what}; a motion file of this pack was wanted. Choose another, or read the clip anew.",
        "motion_file",
    )


def _read_metadata(path: Path, metadata: Mapping[str, str]) -> tuple[ModelIdentity, Fraction, int]:
    """Read the model, the rate and the size; raises InputError for what is none."""
    patterns = {"weights_sha256": HASH, "rate": RATE, "size": WHOLE, "architecture": NAME}
    for name, pattern in patterns.items():
        if not pattern.fullmatch(metadata.get(name, "")):
            raise _refusal(path, f"says {quote(metadata.get(name), 40)} of its {name}")
    if Fraction(metadata["rate"]) > MAX_RATE:
        raise _refusal(path, f"says {metadata['rate']} frames per second")
    name = quote(metadata.get("weights_name", "unnamed weights"))
    identity = ModelIdentity(metadata["architecture"], metadata["weights_sha256"], name)
    return identity, Fraction(metadata["rate"]), int(metadata["size"])


def _check_entries(stored: Mapping[str, StoredTensor]) -> None:
    """Raise Malformed unless all tensors are poses of as many frames, before any is read."""
    points = stored.get(POINTS)
    if points is None or len(points.shape) != 3 or points.shape[2] != 2:
        raise Malformed("it has no points of two numbers each")
    frames, count, _ = points.shape
    if not (1 <= frames <= MOST_FRAMES and 1 <= count <= MOST_POINTS):
        raise Malformed(f"it has {frames} frames of {count} points")
    if len(stored) > MOST_EXTRAS + 2:
        raise Malformed(f"it has {len(stored)} tensors")
    for name, tensor in stored.items():
        maps = (frames, count, 2, 2)
        vectors = len(tensor.shape) == 2 and tensor.shape[0] == frames and 1 <= tensor.shape[1] <= MOST_NUMBERS
        is_extra = name.startswith(EXTRA) and NAME.fullmatch(name.removeprefix(EXTRA)) is not None
        fits = name == POINTS or (name == JACOBIANS and tensor.shape == maps)
        if not (fits or (is_extra and (vectors or tensor.shape == maps))):
            raise Malformed(f"{quote(name, 40)} has a name or a shape that poses do not have")
        if tensor.dtype != torch.float32:
            raise Malformed(f"{quote(name, 40)} holds {tensor.dtype} values instead of torch.float32")


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for tensor in tensors.values():
        rows = tensor.flatten(1)
        bad = (rows.abs() <= FARTHEST).all(dim=1).logical_not().nonzero()
        if len(bad):
            what = "far outside any picture" if rows[bad[0]].isfinite().all() else "no number"
            raise _refusal(path, f"has a pose that is {what} (frame {int(bad[0])})")
