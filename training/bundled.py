"""The small model that ships with the pack: how wide it is and how it was trained."""

from __future__ import annotations

from ..module_fomm.config import DenseMotionConfig, KPDetectorConfig
from ..module_fomm.drawn.config import SIZE, DrawnConfig, DrawnGeneratorConfig
from .drawn.landmarks import COUNT

__all__ = ["BUNDLED", "SIZE"]

BUNDLED = DrawnConfig(
    num_kp=COUNT,  # one for every landmark
    kp_detector=KPDetectorConfig(block_expansion=16, max_features=128, num_blocks=4, pad=3),
    dense_motion=DenseMotionConfig(block_expansion=32, max_features=160, num_blocks=4),
    generator=DrawnGeneratorConfig(block_expansion=16, max_features=64, num_bottleneck_blocks=4),
    align_corners=True,
)
