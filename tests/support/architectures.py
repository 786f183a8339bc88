"""The tiny models of every architecture, so that the driver's tests run over all; and pictures for them.

A new architecture joins these tests by a `tests/module_NAME/tiny.py` with the constant `TINY`: rows by name. There it
may also say how its weights are drawn: `GAINS` and `CENTRES`, by how the keys of the weights and biases end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.moving import Source
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.types import Animator, Clip
from support.paths import of_every_architecture
from support.tiny_model import SIDE, Tiny
from torch import Tensor

CPU = torch.device("cpu")
FILES = of_every_architecture("tiny.py")
TINY: dict[str, Tiny] = {name: row for file in FILES.values() for name, row in file.TINY.items()}

# The configurations that tests of files change.
ARTICULATE = FILES["module_articulate"].ARTICULATE
FOMM = FILES["module_fomm"].FOMM
FOMM_LIKE_MGIF = FILES["module_fomm"].FOMM_LIKE_MGIF
FOMM_POINTS_ONLY = FILES["module_fomm"].FOMM_POINTS_ONLY
FSRT = FILES["module_fsrt"].FSRT
MRFA = FILES["module_mrfa"].MRFA
PARTSWAP = FILES["module_partswap"].PARTSWAP
PARTSWAP_FIRST_ORDER = FILES["module_partswap"].PARTSWAP_FIRST_ORDER
SPLINE = FILES["module_spline"].SPLINE

CONSTRUCTED = ("down.weight", "transformer.pos_embedding")
GAINS = {
    "jacobian.weight": 0.2,
    "jacobian.1.weight": 0.2,
    "affine.weight": 0.2,
    "final.weight": 0.5,
    "bg_encoder.fc.weight": 0.2,
}  # of `seeded`; 1.5 elsewhere
CENTRES: dict[str, float] = {}  # of biases; 0 elsewhere
for _file in FILES.values():
    GAINS |= getattr(_file, "GAINS", {})
    CENTRES |= getattr(_file, "CENTRES", {})

every_architecture = pytest.mark.parametrize("name", TINY)
one_of_each_kind = pytest.mark.parametrize("name", ["fomm", "fsrt"])
"""For what the driver does itself: a model of whole frames, and one of single pixels that takes several sources."""


@cache
def tiny(name: str) -> Animator:
    """The row's model with seeded weights; shared between tests, so left as it is."""
    return seeded(TINY[name].build())


def seeded(module: Animator, seed: int = 7) -> Animator:
    """Weights under which frames differ with the pose: no layer is dull, and jacobians vary about identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not key.endswith(CONSTRUCTED):
                tensor.copy_(_drawn(key, tensor.shape, generator))
    return module.eval()


def _drawn(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if key.endswith("running_var"):
        return 0.75 + 0.25 * noise.tanh()
    if key.endswith(("jacobian.bias", "jacobian.1.bias", "affine.bias")):
        return torch.eye(2).flatten().repeat(shape[0] // 4) + 0.1 * noise
    if key.endswith("bg_encoder.fc.bias"):
        return torch.eye(2, 3).flatten() + 0.1 * noise
    if len(shape) == 1:
        return 0.1 * noise + _by_end(CENTRES, key, float(key.endswith("weight")))
    return _by_end(GAINS, key, 1.5) * noise / shape[1:].numel() ** 0.5


def _by_end(values: Mapping[str, float], key: str, otherwise: float) -> float:
    return next((value for end, value in values.items() if key.endswith(end)), otherwise)


relative_architectures = pytest.mark.parametrize("name", [name for name in TINY if "relative" in tiny(name).spec.modes])
"""Those whose motion can be measured from an anchor; the others take the driving pose as it is."""


def blobs(count: int, height: int = SIDE, width: int = SIDE, seed: int = 0, start: float = 0.0) -> Tensor:
    """Soft coloured blobs that wander from frame to frame: (count, height, width, 3) floats in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(6, 3, generator=generator)
    centres, speeds = (torch.rand(6, 2, generator=generator) for _ in range(2))
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    frames: list[Tensor] = []
    for time in range(count):
        place = 0.5 + 0.35 * torch.sin(6 * centres + (start + 0.4 * time) * (1 + speeds))  # (6, 2)
        bells = torch.exp(-((x[..., None] - place[:, 0]) ** 2 + (y[..., None] - place[:, 1]) ** 2) / 0.02)
        frames.append((bells @ colours).clamp(0, 1))
    return torch.stack(frames) if frames else torch.empty(0, height, width, 3)


def as_bytes(pictures: Tensor) -> Tensor:
    """The same pictures in uint8."""
    return (pictures * 255).round().to(torch.uint8)


def source_picture(seed: int = 0) -> Tensor:
    """(1, SIDE, SIDE, 3): the blobs of the driving clips in a pose that is in none of them."""
    return blobs(1, seed=seed, start=2.6)


def driven(
    animator: Animator, source: Source, clip: Clip | Tensor, options: AnimateOptions, hooks: Hooks | None = None
) -> Tensor:
    """All frames of an animation on the CPU: (N, 3, size, size)."""
    clip = TensorClip(clip) if isinstance(clip, Tensor) else clip
    with one_thread():
        return torch.cat(list(animate(animator, source, clip, CPU, options, hooks)))


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small are many times faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
