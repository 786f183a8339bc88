"""Registry of the architectures: finds them by id, by published name and by a weight file's keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from ..core.errors import CheckpointError, InputError, join_names, suggest
from ..core.types import Animator, LoadOptions
from ..core.weights.architecture import RESTRICTED, Architecture, WeightsKind
from ..core.weights.catalog import PublishedWeights
from ..core.weights.checkpoint import Checkpoint, read_checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.find import WeightFiles, companions_of, read_companions
from ..core.weights.other_models import name_other_model
from ..face_parsing.architecture import FACE_PARSING, RESNET18
from ..face_parsing.architecture import load as load_face_parser
from ..face_parsing.parser import FaceParser
from ..module_articulate.architecture import ARTICULATE
from ..module_fomm.architecture import FOMM
from ..module_fomm.drawn.architecture import DRAWN
from ..module_fsrt.architecture import FSRT
from ..module_mrfa.architecture import MRFA
from ..module_partswap.architecture import PARTSWAP
from ..module_spline.architecture import SPLINE

KINDS: dict[str, WeightsKind] = {}
"""Every kind of weight file, by id; `register` adds to them."""


def register(row: WeightsKind) -> None:
    """Add a kind of weight file, with the kinds of its companion files."""
    KINDS[row.id] = row
    if isinstance(row, Architecture):
        KINDS.update({companion.id: companion for companion in row.companion_files.values()})


for _row in (FOMM, DRAWN, SPLINE, ARTICULATE, PARTSWAP, MRFA, FSRT, FACE_PARSING, RESNET18):
    register(_row)


def architectures() -> Mapping[str, Architecture]:
    """Return the kinds that animate, by id."""
    return {row.id: row for row in KINDS.values() if isinstance(row, Architecture)}


def architecture(identity: str) -> Architecture:
    """Return an architecture by its id; InputError lists the known ids."""
    known = architectures()
    if identity not in known:
        raise InputError(f"is {identity!r}; choose one of: {', '.join(known)}.", "architecture")
    return known[identity]


def published_names(identity: str) -> list[str]:
    """Return the names of a kind's published weights, the default first."""
    return [row.name for row in KINDS[identity].published]


def named_weights(name: str) -> tuple[WeightsKind, PublishedWeights]:
    """Find published weights of any architecture by a name that only one uses; InputError lists the names."""
    rows = [(kind, row) for kind in architectures().values() for row in kind.published if row.name == name]
    if len({row.files for _, row in rows}) == 1:
        return rows[0]
    if rows:
        raise InputError(f"{name!r} are weights of {', '.join(kind.id for kind, _ in rows)}; say which architecture.")
    known = sorted({row.name for kind in architectures().values() for row in kind.published})
    raise InputError(
        f"{name!r} is neither a file nor published weights; these are: {', '.join(known)}.{suggest(name, known)}"
    )


EARLIER_PACK = re.compile(r"comfyui-firstordermm(@[\w.-]+)?(\.disabled)?", re.IGNORECASE)
"""Names that the earlier pack's folder has: as cloned, as the manager installs it, and switched off by either."""


def earlier_packs(custom_nodes: Path) -> list[Path]:
    """List the folders of the earlier pack among other packs, also where it is switched off: its weights stay there."""
    found: list[Path] = []
    for folder in (custom_nodes, custom_nodes / ".disabled"):
        with suppress(OSError):
            found += sorted(pack for pack in folder.iterdir() if EARLIER_PACK.fullmatch(pack.name) and pack.is_dir())
    return found


def weight_folders(identity: str, models: Sequence[Path], packs: Sequence[Path]) -> list[Path]:
    """List the folders to search, in order: the model folders, then `checkpoints` of the first pack (this one), then of
    every pack those in which the earlier pack kept this kind's files.
    """
    earlier = dict.fromkeys(row.earlier for row in KINDS[identity].published if row.earlier)
    kept = [pack / folder for pack in packs for folder in earlier]
    return list(dict.fromkeys([*models, packs[0] / "checkpoints", *kept]))


def identify(checkpoint: Checkpoint) -> WeightsKind | None:
    """Identify the kind of a checkpoint by its keys; None for one that this pack does not know."""
    return next((row for row in KINDS.values() if row.matches(checkpoint)), None)


def expect(checkpoint: Checkpoint, wanted: str) -> WeightsKind:
    """Return the row that loads a checkpoint where weights of the kind `wanted` are needed.

    Raises CheckpointError naming the file's kind, the wanted one, and what to do.
    """
    wish, found = KINDS[wanted], identify(checkpoint)
    if found is None:
        raise CheckpointError(
            f"{checkpoint.path} is {describe_unknown(checkpoint)}; {wish.name} weights are needed. Choose another file."
        )
    if found is wish or (isinstance(wish, Architecture) and found in wish.also_reads):
        return wish
    if isinstance(found, Architecture) and found.family == wanted:
        return found
    raise CheckpointError(
        f"{checkpoint.path} holds {found.name} weights; {wish.name} weights are needed. "
        f"Choose another file here; {found.advice or f'this one belongs to {found.name}'}."
    )


def describe_unknown(checkpoint: Checkpoint) -> str:
    """Say what a checkpoint of no known kind is, as far as its keys tell: the words of a message after "is"."""
    keys = [f"{name}.{key}" if name else key for name, state in checkpoint.components.items() for key in state]
    other = name_other_model(keys)
    if other is not None:
        return f"of no architecture this pack knows: it looks like {other}"
    held = join_names([name for name in checkpoint.components if name] or keys)
    return f"of no architecture this pack knows (it holds: {held})"


def refuse_unaccepted(row: Architecture, given: Collection[str]) -> None:
    """Raise InputError for the first option given that an architecture does not accept."""
    for option in sorted(set(given) & (RESTRICTED - row.options)):
        raise InputError(f"was given; {row.name} does not take it. Leave it out.", option)


def load_files(
    files: WeightFiles, options: LoadOptions | None = None, checkpoint: Checkpoint | None = None
) -> Animator:
    """Build an architecture's model from its files; `checkpoint` is the main one, if that was read already.

    Raises CheckpointError for another architecture's files, MissingWeightsError where a companion file is missing,
    InputError for an option that the architecture does not accept.
    """
    options = options or LoadOptions()
    checkpoint = checkpoint or read_checkpoint(files.path)
    row = expect(checkpoint, files.kind.id)
    assert isinstance(row, Architecture)  # as the kind of a model's files is
    refuse_unaccepted(row, [field.name for field in fields(options) if getattr(options, field.name) is not None])
    return row.load(add_companions(checkpoint, files), options)


def load_animator(
    path: Path, identity: str, options: LoadOptions | None = None, folders: Sequence[Path] = ()
) -> Animator:
    """Build an architecture's model from a weight file; see `load_files`.

    Companion files are looked for beside the file, then in the folders.
    """
    return load_files(WeightFiles.of(architecture(identity), path, folders), options)


def load_parser(path: Path) -> FaceParser:
    """Build a face parser from its weight file; raises CheckpointError for any other file."""
    checkpoint = read_checkpoint(path)
    expect(checkpoint, FACE_PARSING.id)
    return load_face_parser(checkpoint)


def add_companions(checkpoint: Checkpoint, files: WeightFiles) -> Checkpoint:
    """Add to a checkpoint the components that are published in files of their own."""
    found = dict(checkpoint.components)
    for component, part in read_companions(checkpoint, files).items():
        expect(part, companions_of(files.kind)[component].id)
        found[component] = part.components[""]
    return replace(checkpoint, components=found)


def read_with_companions(path: Path) -> Checkpoint:
    """Read a weight file of any kind, known or not, with its companion files from the same folder."""
    checkpoint = read_checkpoint(path)
    kind = identify(checkpoint)
    return checkpoint if kind is None else add_companions(checkpoint, WeightFiles.of(kind, path))


def trim_and_describe(checkpoint: Checkpoint) -> tuple[Checkpoint, dict[str, str] | None]:
    """Return the checkpoint and the metadata that a converted file is to hold.

    The checkpoint lacks what no animation needs; the metadata is None for a file that is no animator's.
    """
    row = identify(checkpoint)
    if not isinstance(row, Architecture):
        return checkpoint, None
    animator = row.load(checkpoint, LoadOptions())
    return row.trim(checkpoint), to_metadata(row.id, animator.config, animator.spec.size)
