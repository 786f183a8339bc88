"""A model small enough to be trained in a test."""

from first_order_motion.module_fomm.config import DenseMotionConfig, KPDetectorConfig
from first_order_motion.module_fomm.drawn.config import DrawnConfig, DrawnGeneratorConfig
from first_order_motion.training.drawn.landmarks import COUNT

TINY = DrawnConfig(
    num_kp=COUNT,
    kp_detector=KPDetectorConfig(block_expansion=8, max_features=16, num_blocks=2, pad=3),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
    generator=DrawnGeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=1),
    align_corners=True,
)
