"""Making a loaded model ready to run fast on a device."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.inference.optimize import optimize
from ..core.types import Animator, Motion, Prepared

Render = Callable[[Prepared, Motion], Tensor]

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = ("auto", *DTYPES)
NATIVE_BFLOAT16, TENSOR_CORES = (8, 0), (7, 0)  # CUDA compute capabilities


@dataclass(frozen=True, slots=True)
class Engine:
    """How to run a model; nothing here changes the picture by more than rounding.

    `precision` is that of the heavy layers, one of PRECISIONS. Without `fast`, networks run in their published
    form. `compiled` has PyTorch compile the drawing of frames, which takes a minute at the start and a C++ compiler.
    """

    precision: str = "auto"
    fast: bool = True
    compiled: bool = False


def optimize_for_inference(animator: Animator, device: torch.device, engine: Engine | None = None) -> Animator:
    """Rewrite a model that was just loaded, in place, for running on the device, to which the caller moves it.

    Raises InputError for a precision that there is not.
    """
    engine = engine or Engine()
    dtype = dtype_for(engine.precision, device)
    optimize(animator, device, dtype, fast=engine.fast, keep_in_fp32=animator.spec.keep_in_fp32)
    if engine.compiled:
        object.__setattr__(animator, "render", pad_to_fixed_batch(torch.compile(animator.render, dynamic=False)))
    log.info("%s on %s in %s.", animator.spec.name, device, str(dtype).removeprefix("torch."))
    return animator


def pad_to_fixed_batch(render: Render) -> Render:
    """The same, with fewer frames than before filled up, so that nothing is compiled anew for a clip's last chunk."""
    most = 0

    def run(prepared: Prepared, motion: Motion) -> Tensor:
        nonlocal most
        count = len(motion)
        most = max(most, count)
        rows = torch.arange(most, device=motion.points.device).clamp_max(count - 1)
        return render(prepared, motion[rows])[:count]

    return run


def dtype_for(precision: str, device: torch.device) -> torch.dtype:
    """The type a precision stands for; "auto" is float32 but for CUDA devices that are faster with half of it."""
    if precision not in PRECISIONS:
        raise InputError(f"The precision is {precision!r}; choose one of: {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return DTYPES[precision]
    if device.type != "cuda":
        return torch.float32
    capability = torch.cuda.get_device_capability(device)
    if capability >= NATIVE_BFLOAT16:
        return torch.bfloat16
    return torch.float16 if capability >= TENSOR_CORES else torch.float32
