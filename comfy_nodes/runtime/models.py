"""Loaded models, kept between runs and moved by ComfyUI's own model management."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import comfy.model_management as management
import torch
from comfy.model_patcher import ModelPatcher

from ...animation.batch_size import batch_bytes
from ...animation.engine import FLOAT32, Engine, optimize_for_inference
from ...animation.enhance import FACE_SIDE, Descriptor, Enhancer
from ...animation.options import AnimateOptions, working_size
from ...animation.predictor import Origin, Predictor
from ...animation.registry import load_files, load_parser
from ...core.device import trim_heap
from ...core.errors import InputError
from ...core.inference.optimize import optimize
from ...core.types import PIXEL_BYTES, Animator, LoadOptions
from ...core.weights.find import Stamps, WeightFiles
from ...face_parsing.parser import SIZE, FaceParser

log = logging.getLogger(__name__)

Settings = tuple[str, LoadOptions | None, Engine | None]

Key = tuple[Path, Stamps, Settings]

UPSCALED_PIXEL_BYTES = 3 * 4 * 384  # per pixel that an upscale model takes, and of its scale
MAX_CACHED = 3  # two animators to compare, and a face parser
_patchers: OrderedDict[Key, ModelPatcher] = OrderedDict()
_reading = threading.RLock()  # held while a file is read, so that no two threads read the same
in_use = threading.RLock()
"""Lock by which work outside prompts keeps ComfyUI from taking a model off its device meanwhile."""


class ForgottenOnUnload(ModelPatcher):
    """Patcher that leaves the cache when ComfyUI unloads it, so that its memory is freed; a later run reads the file
    again.
    """

    def detach(self, unpatch_all: bool = True) -> object:
        """Unload the model, and forget it unless its weights stay."""
        if not unpatch_all:
            return super().detach(unpatch_all)
        with in_use:
            for key in [key for key, patcher in _patchers.items() if patcher is self]:
                del _patchers[key]
            # ComfyUI is going through a list that models leave as they are freed. Held by itself, this one stays until
            # garbage is collected, as ComfyUI does when it has unloaded what it was asked to.
            self.itself = self
            return super().detach(unpatch_all)

    def partially_unload(self, *args: Any, **kwargs: Any) -> object:
        """Take a part of the model off its device."""
        with in_use:
            return super().partially_unload(*args, **kwargs)

    def __del__(self) -> None:
        super().__del__()
        self.model = None
        trim_heap()


def get_predictor(
    files: WeightFiles,
    load_options: LoadOptions,
    engine: Engine,
    options: AnimateOptions,
    enhancer: Enhancer | None = None,
) -> Predictor:
    """Load a model on the device that ComfyUI chooses, with memory left for one batch, and for an enhancer with its
    own; it is read from disk only if its files are new or have changed, or ComfyUI unloaded it.
    """
    patcher = _animator(files, load_options, engine)
    size = working_size(patcher.model, options)
    beside = 0 if enhancer is None else _enhancer_bytes(enhancer, size)
    device = _load_on_device([patcher], batch_bytes(patcher.model, options) + beside)
    return Predictor(patcher.model, device, _origin(files, load_options, engine, options))


def read_animator(files: WeightFiles, load_options: LoadOptions, engine: Engine) -> None:
    """Read a model from disk, unless it is in memory, so that `get_predictor` need not; no device is touched."""
    _animator(files, load_options, engine)


def is_on_device(model: Animator) -> bool:
    """Tell whether a model that was loaded is still cached, and all of it on its device."""
    patcher = next((patcher for patcher in [*_patchers.values()] if patcher.model is model), None)
    return patcher is not None and all(part.device.type == patcher.load_device.type for part in model.parameters())


def enhancer(model: object, strength: float, steadiness: float) -> Enhancer | None:
    """Make an enhancer of an UPSCALE_MODEL, on ComfyUI's device while it works; None without a model.

    Raises InputError for what is no such model, and for one that does not restore or enlarge pictures.
    """
    if model is None:
        return None
    if not hasattr(model, "architecture"):
        raise InputError(
            f"is a {type(model).__name__}; an UPSCALE_MODEL was wanted. Wire Load Upscale Model here.", "descriptor"
        )
    return Enhancer(cast(Descriptor, model), management.get_torch_device(), strength, steadiness)


def _enhancer_bytes(enhancer: Enhancer, side: int) -> int:
    """Estimate what an enhancer takes: its weights, and a batch of pictures as ComfyUI reckons for upscale models."""
    pixels = enhancer.batch * (FACE_SIDE if enhancer.restores_faces else side) ** 2
    return management.module_size(enhancer.descriptor.model) + pixels * enhancer.descriptor.scale * UPSCALED_PIXEL_BYTES


def get_parser(files: WeightFiles, batch: int) -> tuple[FaceParser, torch.device]:
    """Load a face parser on ComfyUI's device, with memory left for `batch` pictures at once."""
    patcher = _parser(files)
    return patcher.model, _load_on_device([patcher], batch * SIZE**2 * PIXEL_BYTES)


def get_with_parser(
    files: WeightFiles, load_options: LoadOptions, engine: Engine, parser: WeightFiles, options: AnimateOptions
) -> tuple[Predictor, FaceParser]:
    """Load a model and a face parser together: loaded in turn, the second may push the first off the device."""
    patchers = [_animator(files, load_options, engine), _parser(parser)]
    device = _load_on_device(patchers, batch_bytes(patchers[0].model, options))
    predictor = Predictor(patchers[0].model, device, _origin(files, load_options, engine, options))
    return predictor, patchers[1].model


def _origin(files: WeightFiles, load_options: LoadOptions, engine: Engine, options: AnimateOptions) -> Origin:
    """Describe where a model comes from; once loaded anew in float32, that is what its settings give from then on."""

    def in_float32() -> Animator:
        patcher = _animator(files, load_options, replace(engine, precision=FLOAT32))
        _load_on_device([patcher], batch_bytes(patcher.model, options))
        _keep(_key(files, _animator_settings(files, load_options, engine)), patcher)
        return patcher.model

    return Origin(files.path.name, in_float32, files)


def _animator(files: WeightFiles, options: LoadOptions, engine: Engine) -> ModelPatcher:
    settings = _animator_settings(files, options, engine)

    def load() -> Animator:
        return optimize_for_inference(load_files(files, options), management.get_torch_device(), settings[2])

    return _cached(files, settings, load)


def _animator_settings(files: WeightFiles, options: LoadOptions, engine: Engine) -> Settings:
    precision = _precision(engine.precision, management.get_torch_device())
    return files.kind.id, options, replace(engine, precision=precision)


def _parser(files: WeightFiles) -> ModelPatcher:
    def load() -> FaceParser:
        return optimize(load_parser(files.path), management.get_torch_device())

    return _cached(files, (files.kind.id, None, None), load)


def _key(files: WeightFiles, settings: Settings) -> Key:
    return files.path, files.stamps, settings


def _cached(files: WeightFiles, settings: Settings, load: Callable[[], object]) -> ModelPatcher:
    """Return the cached patcher while its files are unchanged, else a new one."""
    with _reading:
        return _cached_anew(_key(files, settings), files, load)


def _cached_anew(key: Key, files: WeightFiles, load: Callable[[], object]) -> ModelPatcher:
    patcher = _patchers.get(key)
    if patcher is None:
        patcher = ForgottenOnUnload(
            load(), load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
        )
        trim_heap()  # of what reading the file took
        log.info("loaded %s as %s", files.path.name, files.kind.id)
    for stale in [other for other in _patchers if other[0] == key[0] and other[1] != key[1]]:
        del _patchers[stale]  # made from the files before they changed
    _keep(key, patcher)
    return patcher


def _keep(key: Key, patcher: ModelPatcher) -> None:
    """Cache a patcher as the one used last."""
    _patchers[key] = patcher
    _patchers.move_to_end(key)
    while len(_patchers) > MAX_CACHED:
        _patchers.popitem(last=False)


def _load_on_device(patchers: Sequence[ModelPatcher], memory: int) -> torch.device:
    management.load_models_gpu(patchers, memory_required=memory, force_full_load=True)
    for patcher in patchers:
        # Statistics and buffers of modules without weights stay behind under partial loading.
        patcher.model.to(patcher.load_device)
    return patchers[0].load_device


def _precision(wanted: str, device: torch.device) -> str:
    """Resolve "auto" as ComfyUI judges the device: bfloat16 for its range, else float16, where they are faster."""
    if wanted != "auto" or device.type != "cuda":
        return wanted
    if management.should_use_bf16(device):
        return "bfloat16"
    return "float16" if management.should_use_fp16(device) else "float32"
