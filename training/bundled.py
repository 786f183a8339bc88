"""The small model that ships with the pack: how wide it is and how it was trained."""

from __future__ import annotations

from ..module_fomm.config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig
from .drawn.landmarks import COUNT

SIZE = 128  # side of the pictures it was trained on

BUNDLED = FOMMConfig(
    num_kp=COUNT,  # one for every landmark
    kp_detector=KPDetectorConfig(block_expansion=16, max_features=128, num_blocks=4, pad=3),
    dense_motion=DenseMotionConfig(block_expansion=32, max_features=160, num_blocks=4),
    generator=GeneratorConfig(block_expansion=16, max_features=64, num_bottleneck_blocks=4, skips=True),
    align_corners=True,
)
