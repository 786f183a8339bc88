"""One table of tiny models, so that the driver's tests run over every architecture; and pictures for them.

A new architecture joins these tests by a row in `TINY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from firstordermm.animation.frames import TensorClip
from firstordermm.animation.pipeline import AnimateOptions, Hooks, Pictures, animate
from firstordermm.core.types import Animator, Clip
from firstordermm.module_articulate.animator import ArticulateAnimator
from firstordermm.module_articulate.config import ArticulateConfig, FlowPredictorConfig, RegionPredictorConfig
from firstordermm.module_articulate.config import GeneratorConfig as ArticulateGeneratorConfig
from firstordermm.module_fomm.animator import FOMMAnimator
from firstordermm.module_fomm.config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig
from firstordermm.module_fsrt import config as fsrt
from firstordermm.module_fsrt.animator import FSRTAnimator
from firstordermm.module_mrfa import config as mrfa
from firstordermm.module_mrfa.animator import MRFAAnimator
from firstordermm.module_partswap.animator import PartSwapAnimator
from firstordermm.module_partswap.config import PartSwapConfig, ReconstructionConfig, SegmentationConfig
from firstordermm.module_partswap.swap import Swap
from firstordermm.module_spline import config as spline
from firstordermm.module_spline.animator import SplineAnimator
from torch import Tensor

CPU = torch.device("cpu")
SIDE = 64  # pixels; of the tiny models and of the pictures made for them

FOMM = FOMMConfig(
    num_kp=5,
    kp_detector=KPDetectorConfig(block_expansion=8, max_features=16, num_blocks=2),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
    generator=GeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
)
FOMM_LIKE_MGIF = replace(FOMM, kp_detector=replace(FOMM.kp_detector, single_jacobian_map=True))
FOMM_POINTS_ONLY = replace(
    FOMM, estimate_jacobian=False, generator=replace(FOMM.generator, estimate_occlusion_map=False)
)
ARTICULATE = ArticulateConfig(
    num_regions=5,
    region_predictor=RegionPredictorConfig(block_expansion=8, max_features=16, num_blocks=2),
    pixelwise_flow_predictor=FlowPredictorConfig(block_expansion=8, max_features=16, num_blocks=2),
    generator=ArticulateGeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
)
ARTICULATE_LIKE_MGIF = replace(ARTICULATE, region_predictor=replace(ARTICULATE.region_predictor, pad=0), avd=False)
SPLINE = spline.SplineConfig(
    num_tps=2,
    width=8,
    generator=spline.GeneratorConfig(block_expansion=8, max_features=16),
    dense_motion=spline.DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
)
PARTSWAP = PartSwapConfig(
    num_segments=5,
    segmentation_module=SegmentationConfig(block_expansion=8, max_features=16, num_blocks=2),
    reconstruction_module=ReconstructionConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
    dense_motion=FOMM.dense_motion,
)
PARTSWAP_FIRST_ORDER = replace(PARTSWAP, first_order=True)
MRFA = mrfa.MRFAConfig(
    size=SIDE,
    num_kp=5,
    encoder=mrfa.EncoderConfig(width=4, blocks=1, modules=2, dim=16, depth=2, heads=2, mlp_ratio=2),
    dense_motion=mrfa.DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
    structure=mrfa.StructureConfig(block_expansion=8, max_features=16, num_blocks=2, dim=16),
    generator=mrfa.GeneratorConfig(block_expansion=8, max_features=16, num_blocks=4),
    refine_width=8,
)
FSRT = fsrt.FSRTConfig(
    num_kp=5,
    pix_octaves=6,
    expression_per_kp=4,
    expression_size=8,
    detector=fsrt.DetectorConfig(block_expansion=8, max_features=16, num_blocks=2),
    encoder=fsrt.EncoderConfig(width=4, dim=16, inner=128, hidden=24, depth=2),
    decoder=fsrt.DecoderConfig(first=24, inner=128, hidden=32, render_width=32, render_layers=3),
)


@dataclass(frozen=True, slots=True)
class Tiny:
    """How to build an architecture small, and which of its modules sees what.

    `source_only` is a module that nothing but the source passes through (or also every driving frame, where
    `frames_too`), `motion` the one that reads poses.
    """

    build: Callable[[], Animator]
    source_only: str
    motion: str
    frames_too: bool = False


def _fomm(config: FOMMConfig) -> Tiny:
    return Tiny(lambda: FOMMAnimator(config, SIDE), "generator.first", "kp_detector")


def _articulate(config: ArticulateConfig) -> Tiny:
    return Tiny(lambda: ArticulateAnimator(config, SIDE), "generator.first", "region_predictor")


def _mrfa(config: mrfa.MRFAConfig) -> Tiny:
    return Tiny(lambda: MRFAAnimator(config), "model.decoder.generator.first", "model.encoder")


TINY = {
    "fomm": _fomm(FOMM),
    "fomm_like_mgif": _fomm(FOMM_LIKE_MGIF),
    "fomm_points_only": _fomm(FOMM_POINTS_ONLY),
    "spline": Tiny(lambda: SplineAnimator(SPLINE, SIDE), "inpainting_network.first", "kp_detector"),
}
TINY |= {"fsrt": Tiny(lambda: FSRTAnimator(FSRT, SIDE), "encoder.per_patch_linear", "kp_detector")}
TINY |= {"articulate": _articulate(ARTICULATE), "articulate_like_mgif": _articulate(ARTICULATE_LIKE_MGIF)}
TINY |= {"mrfa": _mrfa(MRFA), "mrfa_like_celebvhq": _mrfa(replace(MRFA, has_background=True, background_width=8))}
TINY |= {
    "partswap": Tiny(
        lambda: PartSwapAnimator(PARTSWAP, SIDE), "reconstruction_module.first", "segmentation_module", frames_too=True
    ),
    "partswap_first_order": Tiny(
        lambda: PartSwapAnimator(PARTSWAP_FIRST_ORDER, SIDE).swapping(Swap((1, 3), from_source=False)),
        "reconstruction_module.dense_motion_network.down",
        "segmentation_module",
    ),
}

COLOUR = "render_mlp.4"  # FSRT's colours, which nothing bounds
CONSTRUCTED = ("down.weight", "transformer.pos_embedding")
GAINS = {
    "jacobian.weight": 0.2,
    "jacobian.1.weight": 0.2,
    "affine.weight": 0.2,
    "final.weight": 0.5,
    "keypoint_token": 20.0,
    "refine.conv2.weight": 0.4,
    "convf1.weight": 0.1,
    "bg_encoder.fc.weight": 0.2,
    f"{COLOUR}.weight": 0.03,
}  # of `seeded`; 1.5 elsewhere

every_architecture = pytest.mark.parametrize("name", TINY)


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
    if key.endswith(f"{COLOUR}.bias"):
        return 0.5 + 0.1 * noise
    if len(shape) == 1:
        return 0.1 * noise + key.endswith("weight")
    gain = next((gain for end, gain in GAINS.items() if key.endswith(end)), 1.5)
    return gain * noise / shape[1:].numel() ** 0.5


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
    animator: Animator, source: Pictures, clip: Clip | Tensor, options: AnimateOptions, hooks: Hooks | None = None
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
