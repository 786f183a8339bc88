"""Optimisation of a loaded model for inference on a device."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.device import has_bfloat16_matrices
from ..core.errors import InputError
from ..core.inference.cuda_graph import Capture, GraphedFunction, Tensors, capture_on_cuda
from ..core.inference.optimize import optimize
from ..core.inference.overflow import OverflowWatch
from ..core.types import Animator, Motion, Prepared

Render = Callable[[Prepared, Motion], Tensor]
Read = Callable[[Tensor], Motion]

FEATURES, SOURCE, DRIVING, PICTURES = "features/", "source/", "driving/", "pictures"  # names of recorded tensors

log = logging.getLogger(__name__)

FLOAT32 = "float32"
DTYPES = {FLOAT32: torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = ("auto", *DTYPES)
NATIVE_BFLOAT16, TURING, TENSOR_CORES = (8, 0), (7, 5), (7, 0)  # CUDA compute capabilities
TURING_WITH_TENSOR_CORES = re.compile(r"\bRTX|\bT4G?\b")
"""Names of the cards of Turing's generation with tensor cores. The others (GTX 16, T400 to T2000, MX450, MX550, ...)
make NaN of float16."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Settings for running a model; none changes the picture by more than rounding.

    `precision` is that of the heavy layers, one of PRECISIONS. Without `fast`, networks run in their published form.
    `compiled` has PyTorch compile the rendering, which takes minutes the first time, seconds after that, and a C++
    compiler. `cuda_graphs` records the reading of poses and the rendering on CUDA devices, and replays them.
    """

    precision: str = "auto"
    fast: bool = True
    compiled: bool = False
    cuda_graphs: bool = False


def optimize_for_inference(animator: Animator, device: torch.device, engine: Engine | None = None) -> Animator:
    """Rewrite a newly loaded model in place for fast inference on a device, to which the caller moves it.

    Raises InputError for an unknown precision, and for a model that was optimised before.
    """
    engine = engine or Engine()
    if animator.optimized:
        raise InputError(
            f"{animator.spec.name} was optimised before; a newly loaded model was wanted. Load it again, "
            "or use it as it is: Predictor(animator, device)."
        )
    dtype = dtype_for(engine.precision, device)
    animator.optimized = True
    spec = animator.spec
    optimize(animator, device, dtype, fast=engine.fast, keep_in_fp32=spec.keep_in_fp32, keep_in_tf32=spec.keep_in_tf32)
    if dtype == torch.float16:  # bfloat16 has float32's range
        animator.watch = OverflowWatch(animator)
    render: Render = animator.render
    if engine.compiled:
        # with its weights as constants; PyTorch keeps what it compiled on disk, for the next process
        render = torch.compile(render, dynamic=False, options={"freezing": True})
    if engine.cuda_graphs and device.type != "cuda":
        log.warning("CUDA graphs are for CUDA devices; %s goes on without them.", device)
    elif engine.cuda_graphs:
        render = graphed(render)
        object.__setattr__(animator, "motion", graphed_reader(animator.motion))
    if render != animator.render:
        object.__setattr__(animator, "render", pad_to_fixed_batch(render))
    log.info("%s on %s in %s.", animator.spec.name, device, str(dtype).removeprefix("torch."))
    return animator


def graphed(render: Render, capture: Capture = capture_on_cuda) -> Render:
    """Make a renderer of one that is recorded for each size of batch, and replayed."""

    def drawn(tensors: Tensors) -> Tensors:
        prepared = Prepared(_motion_from(tensors, SOURCE), _under(tensors, FEATURES))
        return {PICTURES: render(prepared, _motion_from(tensors, DRIVING))}

    replayed = GraphedFunction(drawn, capture)

    def run(prepared: Prepared, motion: Motion) -> Tensor:
        features = {FEATURES + name: value for name, value in prepared.features.items()}
        return replayed(features | _named(prepared.motion, SOURCE) | _named(motion, DRIVING))[PICTURES]

    return run


def graphed_reader(read: Read, capture: Capture = capture_on_cuda) -> Read:
    """Make a reader of poses of one that is recorded for each size of batch, and replayed."""
    replayed = GraphedFunction(lambda tensors: _named(read(tensors[PICTURES]), DRIVING), capture)
    return lambda frames: _motion_from(replayed({PICTURES: frames}), DRIVING)


def _named(motion: Motion, folder: str) -> dict[str, Tensor]:
    """Name every tensor of poses."""
    named = {f"{folder}extra/{name}": value for name, value in motion.extra.items()}
    named |= {} if motion.jacobians is None else {f"{folder}jacobians": motion.jacobians}
    return named | {f"{folder}points": motion.points}


def _motion_from(named: Tensors, folder: str) -> Motion:
    """Rebuild the poses that `_named` took apart."""
    return Motion(named[f"{folder}points"], named.get(f"{folder}jacobians"), _under(named, f"{folder}extra/"))


def _under(named: Tensors, folder: str) -> dict[str, Tensor]:
    return {name.removeprefix(folder): value for name, value in named.items() if name.startswith(folder)}


def pad_to_fixed_batch(render: Render) -> Render:
    """Pad each batch of a renderer to the largest so far, so that a clip's shorter last chunk is not compiled anew."""
    most = 0

    def run(prepared: Prepared, motion: Motion) -> Tensor:
        nonlocal most
        count = len(motion)
        most = max(most, count)
        rows = torch.arange(most, device=motion.points.device).clamp_max(count - 1)
        return render(prepared, motion[rows])[:count]

    return run


def dtype_for(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a precision; "auto" is float32, but 16 bits on devices that are faster with them.

    Those are CUDA devices with tensor cores and processors with matrix units for bfloat16. A card that may be one of
    those on which float16 fails, as its name says or does not say, gets float32.
    """
    if precision not in PRECISIONS:
        raise InputError(f"is {precision!r}; choose one of: {', '.join(PRECISIONS)}.", "precision")
    if precision != "auto":
        return DTYPES[precision]
    if device.type == "cpu":
        return torch.bfloat16 if has_bfloat16_matrices() else torch.float32
    if device.type != "cuda":
        return torch.float32
    capability = torch.cuda.get_device_capability(device)
    if capability >= NATIVE_BFLOAT16:
        return torch.bfloat16
    if capability == TURING and not TURING_WITH_TENSOR_CORES.search(_card_name(device)):
        return torch.float32
    return torch.float16 if capability >= TENSOR_CORES else torch.float32


def _card_name(device: torch.device) -> str:
    """Return the name of a CUDA device; "" where the driver does not tell."""
    try:
        return torch.cuda.get_device_name(device)
    except (RuntimeError, AssertionError):  # the latter from a PyTorch without CUDA
        return ""
