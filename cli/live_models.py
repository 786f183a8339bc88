"""Models that `live` offers: the one that was chosen, and all published ones whose files are here."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from ..animation.find_model import DEFAULT_MODEL, menu_entry
from ..animation.model_folders import default_folders
from ..animation.options import result_size
from ..animation.predictor import Predictor
from ..animation.registry import architectures
from ..animation.unused import refuse_unused_options
from ..core.errors import InputError, quote
from ..core.weights.find import WeightFiles, WeightsRequest, look_up
from ..live.studio import Entry
from ..module_partswap.architecture import PARTSWAP
from .detail import with_detail
from .exported import ONNX, load_exported_predictor
from .models import DEFAULT_ARCHITECTURE, given_options, load_predictor, read_engine
from .run import read_drawing
from .swap import with_chosen_parts

log = logging.getLogger(__name__)

Load = Callable[[], Predictor]


class InstalledModels:
    """Models on this machine, by the command line's options; the chosen one is listed first."""

    def __init__(self, args: argparse.Namespace, device: torch.device) -> None:
        self._args, self._device = args, device
        self._first: Predictor | None = self._chosen()  # so that a wrong choice is said at once
        result_size(self._first.animator, 0, with_detail(read_drawing(args), args))
        chosen = _name_of(self._first)
        self._rows: dict[str, Load] = {chosen: self._chosen}
        for name, files in _published_here():
            self._rows.setdefault(name, lambda files=files: self._published(files))

    def listed(self) -> Sequence[Entry]:
        """List them."""
        return [Entry(name, name) for name in self._rows]

    def load(self, identity: str) -> Predictor:
        """Load one of them."""
        if identity not in self._rows:
            raise InputError(f"is {quote(identity)}; choose one of: {', '.join(self._rows)}.", "model")
        first, self._first = self._first, None
        if first is not None and identity == next(iter(self._rows)):
            return first
        return self._rows[identity]()

    def in_use(self) -> AbstractContextManager[bool]:
        """Do nothing: what is loaded stays there."""
        return nullcontext(True)

    def free(self) -> None:
        """Give the memory of a GPU back that PyTorch keeps."""
        self._first = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _chosen(self) -> Predictor:
        """Load the model that the options name, set to the parts that they name."""
        if self._args.runtime == ONNX:
            return load_exported_predictor(self._args)
        predictor = load_predictor(self._args, self._device)
        refuse_unused_options(predictor.animator, read_drawing(self._args), given_options(self._args))
        return with_chosen_parts(predictor, self._args, self._device)

    def _published(self, files: WeightFiles) -> Predictor:
        return Predictor.from_files(files, None, self._device, engine=read_engine(self._args))


def use_bundled_where_none_is_chosen(args: argparse.Namespace) -> None:
    """Choose the bundled model where the options name none, and the one that `run` begins with is not here."""
    chosen = (args.model, args.checkpoint, args.architecture)
    if any(choice is not None for choice in chosen) or args.download or args.runtime == ONNX:
        return
    default = architectures()[DEFAULT_ARCHITECTURE]
    if look_up(default, WeightsRequest(default.published[0].name), default_folders(default.id)) is None:
        log.warning("%s is not here: the bundled model draws, which is made for drawn faces. See --model, --download.",
            default.published[0].name)  # fmt: skip
        args.model = DEFAULT_MODEL


def _name_of(predictor: Predictor) -> str:
    """Name a model by its file: as published, or as it is called."""
    if predictor.origin is None:
        return predictor.animator.spec.name
    files = predictor.origin.weights
    if files is None:
        return predictor.origin.files
    published = [row.name for row in files.kind.published if files.path.name in row.files]
    return menu_entry(files.kind.id, published[0]) if published else files.path.name


def _published_here() -> list[tuple[str, WeightFiles]]:
    """List the published weights that are on this machine, apart from Part Swap's, which need a choice of parts."""
    found: list[tuple[str, WeightFiles]] = []
    for row in architectures().values():
        for weights in row.published:
            files = look_up(row, WeightsRequest(weights.name), default_folders(row.id))
            if files is not None and row.id != PARTSWAP.id:
                found.append((menu_entry(row.id, weights.name), files))
    return found
