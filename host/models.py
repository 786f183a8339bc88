"""Loaded models, kept between runs and moved by ComfyUI's own model management."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import comfy.model_management as management
import torch
from comfy.model_patcher import ModelPatcher

from ..animation.engine import Engine, ready
from ..animation.registry import load_animator
from ..core.types import Animator, LoadOptions

log = logging.getLogger(__name__)

Key = tuple[Path, int, str, LoadOptions, Engine]

KEPT = 2
_patchers: OrderedDict[Key, ModelPatcher] = OrderedDict()


def get_animator(
    path: Path, identity: str, options: LoadOptions, engine: Engine, batch_bytes: int
) -> tuple[Animator, torch.device]:
    """The model of a weight file, on the device ComfyUI gives it; read from disk only if the file is new.

    `batch_bytes` is what a batch of frames is expected to need beside the weights.
    """
    load_device, offload_device = management.get_torch_device(), management.unet_offload_device()
    engine = replace(engine, precision=_precision(engine.precision, load_device))
    key = (path, path.stat().st_mtime_ns, identity, options, engine)
    patcher = _patchers.pop(key, None)
    if patcher is None:
        model = ready(load_animator(path, identity, options), load_device, engine)
        patcher = ModelPatcher(model, load_device=load_device, offload_device=offload_device)
        log.info("loaded %s as %s", path.name, identity)
    for stale in [other for other in _patchers if other[0] == path and other[1] != key[1]]:
        del _patchers[stale]  # what the file held before it changed
    _patchers[key] = patcher
    while len(_patchers) > KEPT:
        _patchers.popitem(last=False)
    management.load_models_gpu([patcher], memory_required=batch_bytes, force_full_load=True)
    # Statistics and buffers of modules without weights stay behind under partial loading.
    patcher.model.to(patcher.load_device)
    return patcher.model, patcher.load_device


def _precision(wanted: str, device: torch.device) -> str:
    """ "auto" as ComfyUI judges the device: bfloat16 for its range, else float16, where they are worth it."""
    if wanted != "auto" or device.type != "cuda":
        return wanted
    if management.should_use_bf16(device):
        return "bfloat16"
    return "float16" if management.should_use_fp16(device) else "float32"
